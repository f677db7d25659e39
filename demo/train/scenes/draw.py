"""Scenes to pixels, anti-aliased."""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image, ImageDraw

from .world import COLORS, Line, Scene, Thing

_SUPERSAMPLING = 4
_RING = 0.55  # inner radius of a ring by its outer one
Point = tuple[float, float]


def _ngon(corners: int, radius: float = 1.0, turn: float = -90.0) -> list[Point]:
    angles = [math.radians(turn + i * 360.0 / corners) for i in range(corners)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def _star() -> list[Point]:
    outer, inner = _ngon(5), _ngon(5, 0.42, -54.0)
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


def _heart() -> list[Point]:
    points = []
    for i in range(60):
        t = 2 * math.pi * i / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 17, -(y + 2.5) / 16))
    return points


def _cross(arm: float = 0.34) -> list[Point]:
    return [
        (-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm),
        (arm, 1), (-arm, 1), (-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm),
    ]  # fmt: skip


@functools.cache
def outline(noun: str) -> tuple[Point, ...] | None:
    """A shape's corners in its own frame, radius 1 and y down; None for the round ones."""
    corners = {
        "square": lambda: [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        "triangle": lambda: _ngon(3, 1.1),
        "star": _star,
        "hexagon": lambda: _ngon(6, turn=0.0),
        "heart": _heart,
        "cross": _cross,
    }
    return tuple(corners[noun]()) if noun in corners else None


def _spread(pen: ImageDraw.ImageDraw, thing: Thing, center: Point, radius: float) -> None:
    """Fills a thing's area."""
    (cx, cy), r = center, radius
    corners = outline(thing.noun)
    if corners is not None:
        c, n = math.cos(math.radians(thing.angle)), math.sin(math.radians(thing.angle))
        turned = [(cx + r * (x * c - y * n), cy + r * (x * n + y * c)) for x, y in corners]
        pen.polygon(turned, fill=255)
        return
    pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
    if thing.noun == "ring":
        r *= _RING
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=0)


def coverage(element: Thing | Line, width: int, height: int) -> tuple[np.ndarray, slice, slice]:
    """How much of each pixel a thing or line covers, float32 in [0, 1], in a part of the canvas.

    Returns the part's coverage, its rows and its columns.
    """
    shorter = min(width, height)
    if isinstance(element, Thing):
        middle, reach = (element.x * width, element.y * height), 1.2 * element.radius * shorter
        xs, ys = ((v - reach, v + reach) for v in middle)
    else:
        thick = element.width * shorter
        xs, ys = (
            (min(a, b) * side - thick, max(a, b) * side + thick)
            for a, b, side in zip(element.start, element.end, (width, height), strict=True)
        )
    left, right = max(0, math.floor(xs[0])), min(width, math.ceil(xs[1]) + 1)
    top, bottom = max(0, math.floor(ys[0])), min(height, math.ceil(ys[1]) + 1)
    s = _SUPERSAMPLING
    mask = Image.new("L", ((right - left) * s, (bottom - top) * s), 0)
    pen = ImageDraw.Draw(mask)
    if isinstance(element, Thing):
        center = ((element.x * width - left) * s, (element.y * height - top) * s)
        _spread(pen, element, center, element.radius * shorter * s)
    else:
        ends = [
            ((x * width - left) * s, (y * height - top) * s)
            for x, y in (element.start, element.end)
        ]
        pen.line(ends, fill=255, width=max(1, round(thick * s)))
    cover = np.asarray(mask.reduce(s), dtype=np.float32) / 255
    return cover, slice(top, bottom), slice(left, right)


def draw(
    scene: Scene, width: int = 128, height: int = 128, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draws a scene as uint8 [height, width, 3]. With rng, colours waver by up to 4 of 255."""

    def shade(name: str) -> np.ndarray:
        rgb = np.array(COLORS[name], dtype=np.float32)
        return rgb if rng is None else np.clip(rgb + rng.integers(-4, 5, 3), 0, 255)

    top = shade(scene.ground[0])
    bottom = top if scene.ground[0] == scene.ground[1] else shade(scene.ground[1])
    down = (np.arange(height, dtype=np.float32) / max(1, height - 1))[:, None, None]
    pixels = np.repeat(top + down * (bottom - top), width, axis=1).astype(np.float32)
    for element in (*scene.things, *scene.lines):
        cover, rows, columns = coverage(element, width, height)
        part = pixels[rows, columns]
        part += cover[..., None] * (shade(element.color).astype(np.float32) - part)
    return np.rint(pixels).astype(np.uint8)
