"""Depth maps of scenes, as depth control takes them: the nearer, the lighter."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from .draw import coverage
from .world import Line, Scene, Thing

_FARTHEST, _NEAREST = 0.4, 1.0  # of things; the ground is 0
_SMALLEST, _LARGEST = 0.09, 0.40  # radii


def _level(element: Thing | Line) -> float:
    """A thing is the nearer the larger it looks. Lines are drawn over everything."""
    if isinstance(element, Line):
        return _NEAREST
    part = (element.radius - _SMALLEST) / (_LARGEST - _SMALLEST)
    return _FARTHEST + (_NEAREST - _FARTHEST) * float(np.clip(part, 0, 1))


def _dome(cover: np.ndarray, fall: float) -> np.ndarray:
    """What is left of a thing's height where it bends back towards its edge."""
    down, right = (np.linspace(-1, 1, side, dtype=np.float32) for side in cover.shape)
    return 1 - fall * np.minimum(1, np.square(down)[:, None] + np.square(right))


def depth_map(
    scene: Scene, width: int = 128, height: int = 128, rng: np.random.Generator | None = None
) -> np.ndarray:
    """uint8 [height, width]: flat things before a black ground.

    With rng, half of the maps are as people draw them and as estimators see them: any grey that is
    lighter than the ground, a floor that comes nearer towards the bottom, domes, soft edges.
    """
    far = np.zeros((height, 1), dtype=np.float32)
    loose = rng is not None and rng.random() < 0.5
    floor = 0.0
    if rng is not None and loose:
        floor = float(rng.uniform(0, 0.35)) * float(rng.random() < 0.6)
        far += floor * (np.linspace(0, 1, height)[:, None] if rng.random() < 0.5 else 1)
    depth = np.repeat(far, width, axis=1).astype(np.float32)
    for element in (*scene.things, *scene.lines):
        cover, rows, columns = coverage(element, width, height)
        level: float | np.ndarray = _level(element)
        if rng is not None and loose:
            level = float(rng.uniform(floor + 0.2, 1))
            if isinstance(element, Thing) and rng.random() < 0.4:
                level = floor + (level - floor) * _dome(cover, float(rng.uniform(0.1, 0.5)))
        part = depth[rows, columns]
        part += cover * (level - part)
    pixels = np.rint(depth * 255).astype(np.uint8)
    if rng is None or not loose or rng.random() < 0.5:
        return pixels
    soft = ImageFilter.GaussianBlur(float(rng.uniform(0, 0.012)) * min(width, height))
    return np.asarray(Image.fromarray(pixels).filter(soft))
