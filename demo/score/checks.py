"""Counting: from images and what was asked to shares of right ones."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import judge
import numpy as np
import scenes
from prompts import Asked, Control, Repair

Count = tuple[int, int]  # right, asked
# Of compositions; by the shorter side: what is longer is a line, how wide a straight one is at most
_STROKE, _BAND = 0.35, 0.045
_LINES = 3  # most in a composition


@dataclass(frozen=True)
class Result:
    """One image, judged. points: as judge.verdict gives them."""

    asked: Asked
    pixels: np.ndarray
    points: dict[str, bool]

    @property
    def right(self) -> bool:
        """Whether it shows the right number of things, of the right shapes and colours."""
        return self.points["count"] and self.points["shape"] and self.points.get("color", True)


def judged(asked: Sequence[Asked], images: Sequence[np.ndarray]) -> list[Result]:
    return [
        Result(one, pixels, judge.verdict(pixels, one.claims))
        for one, pixels in zip(asked, images, strict=True)
    ]


def share(values: Iterable[bool]) -> Count:
    found = list(values)
    return sum(found), len(found)


def by_point(results: Sequence[Result]) -> dict[str, Count]:
    """Points in the order of the issue, each where it was asked."""
    out = {"shape and color": share(result.right for result in results)}
    for point in ("shape", "color", "count", "size", "position", "relation", "ground"):
        values = [r.points[point] for r in results if point in r.points]
        if values:
            out[point] = share(values)
    out["everything"] = share(all(result.points.values()) for result in results)
    return out


def by_group(
    results: Sequence[Result], key: Callable[[Result], str | None], point: str = ""
) -> dict[str, Count]:
    """Shares of results that are right, or right in a point, by what the key says of each."""
    groups: dict[str, list[bool]] = collections.defaultdict(list)
    for result in results:
        name = key(result)
        if name is not None and (not point or point in result.points):
            groups[name].append(result.points[point] if point else result.right)
    return {name: share(values) for name, values in sorted(groups.items())}


# --- compositions -------------------------------------------------------------------------------


def _shifted(mask: np.ndarray, grow: bool) -> np.ndarray:
    """A mask grown or shrunk by one pixel in eight directions."""
    padded = np.pad(mask, 1, constant_values=not grow)
    parts = [
        padded[1 + dy : len(padded) - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    return (np.logical_or if grow else np.logical_and).reduce(parts)


def _strokes(thin: np.ndarray) -> np.ndarray:
    """The parts of a mask that are long enough to be lines."""
    strokes = np.zeros_like(thin)
    for part in judge.components(thin):
        reach = [np.ptp(places) for places in np.nonzero(part)]
        if np.hypot(*reach) > _STROKE * min(thin.shape):
            strokes |= part
    return strokes


def _in_straight_bands(mask: np.ndarray) -> float:
    """Most pixels of a mask that lie in any three straight bands, as a share of all of them."""
    ys, xs = np.nonzero(mask)
    left = np.ones(len(xs), dtype=bool)
    width = max(2, round(_BAND * min(mask.shape)))
    angles = np.linspace(0, np.pi, 90, endpoint=False)[:, None]
    offsets = (xs * np.cos(angles) + ys * np.sin(angles) + sum(mask.shape)).astype(int)
    for _ in range(_LINES):
        held = [np.convolve(np.bincount(row[left]), np.ones(width)) for row in offsets]
        best = max(range(len(held)), key=lambda i: held[i].max())
        last = int(held[best].argmax())
        left &= (offsets[best] > last) | (offsets[best] <= last - width)
        if not left.any():
            break
    return 1 - left.sum() / max(1, len(left))


def composition(pixels: np.ndarray) -> dict[str, bool]:
    """Whether an image is straight lines and shapes, clean, on cream."""
    ground = judge.ground_of(pixels)
    mask = np.sqrt(np.square(pixels - ground[:, None]).sum(-1)) > 55
    core = mask
    for _ in range(3):
        core = _shifted(core, grow=False)
    thick = core
    for _ in range(5):
        thick = _shifted(thick, grow=True)
    strokes = _strokes(mask & ~thick)
    palette = np.array([scenes.COLORS[name] for name in scenes.THING_COLORS], dtype=np.float64)
    distance = np.sqrt(np.square(pixels[:, :, None] - palette).sum(-1)).min(-1)
    return {
        "cream": judge.nearest_color(ground.mean(0), scenes.GROUND_COLORS) == "cream",
        "shapes": len(judge.components(core)) >= 1,
        "lines": bool(strokes.any()),
        "straight": bool(strokes.any() and _in_straight_bands(strokes) > 0.9),
        "clean": bool(mask.any()) and float((distance[mask] < 70).mean()) > 0.7,
    }


# --- inpainting ---------------------------------------------------------------------------------


def repaired(task: Repair, pixels: np.ndarray) -> dict[str, bool]:
    """Whether what was asked for came into the box, and only there."""
    left, top, right, bottom = task.box
    noun, color, _ = task.asked.claims.things[0]
    found = judge.look(pixels).things
    inside = [
        thing
        for thing in found
        if left <= thing.x * pixels.shape[1] < right and top <= thing.y * pixels.shape[0] < bottom
    ]
    outside = [thing for thing in found if thing not in inside]
    keep = np.ones(pixels.shape[:2], dtype=bool)
    # A latent pixel is eight wide, and the decoder blurs over one more.
    keep[max(0, top - 16) : bottom + 16, max(0, left - 16) : right + 16] = False
    change = np.abs(pixels.astype(int) - task.pixels)[keep].mean() if keep.any() else 0.0
    return {
        "there": [(thing.noun, thing.color) for thing in inside] == [(noun, color)],
        "only there": [(thing.noun, thing.color) for thing in outside]
        == [(task.kept.noun, task.kept.color)],
        "rest unchanged": bool(change < 8),
    }


# --- the judge itself ---------------------------------------------------------------------------


def judge_on_drawings(count: int) -> Count:
    """How often the judge finds everything right that a caption says of a drawing."""
    rng = np.random.default_rng(2_000_029)
    values = []
    for i in range(count):
        make = scenes.random_pair if i % 2 else scenes.random_single
        scene = make(rng)
        claims = scenes.random_description(scene, rng)[1]
        size = ((128, 128), (64, 64), (192, 128), (128, 128))[i // 2 % 4]
        values.append(all(judge.verdict(scenes.draw(scene, *size, rng), claims).values()))
    return share(values)


# --- depth control ------------------------------------------------------------------------------


def overlap(task: Control, pixels: np.ndarray) -> float:
    """Of what differs from the ground and of what the depth map raises: their common part by their
    union, from 0 to 1.
    """
    ground = judge.ground_of(pixels)
    contrast = np.sqrt(np.square(pixels - ground[:, None]).sum(-1))
    seen = contrast > max(judge.CONTRAST, contrast.max() / 2)
    raised = task.depth > task.depth.max() / 2
    return float((seen & raised).sum() / max(1, (seen | raised).sum()))


def controlled(task: Control, pixels: np.ndarray) -> dict[str, bool]:
    """Whether the image has the map's shape in its place and the prompt's colours."""
    points = judge.verdict(pixels, task.asked.claims)
    return {
        "in its place (overlap 0.8)": overlap(task, pixels) >= 0.8,
        "the map's shape": points["count"] and points["shape"],
        "the prompt's colour": points["color"],
        "the prompt's ground": points["ground"],
    }
