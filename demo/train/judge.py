"""Reads an image of the demo world back into what it shows, without any network.

Works on clean drawings and on generated images alike, at any size: the ground from the border,
things as what differs from it, shapes by overlap with drawn templates. Needs numpy and Pillow only.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scenes
from PIL import Image

_GRID = 32  # templates and things are compared at this size
CONTRAST = 55.0  # distance in RGB from which a pixel is not ground
_SPECK = 0.0016  # of the image: smaller parts are no things


@dataclass(frozen=True)
class Seen:
    """One thing found, placed as scenes.Thing. match: overlap with the best template, [0, 1]."""

    noun: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    match: float


@dataclass(frozen=True)
class Look:
    """What an image shows: ground colours at top and bottom, things from the largest on."""

    ground: tuple[str, str]
    things: tuple[Seen, ...]


def nearest_color(rgb: np.ndarray, names: tuple[str, ...]) -> str:
    """The palette's name for a colour."""
    palette = np.array([scenes.COLORS[name] for name in names], dtype=np.float64)
    return names[int(np.square(palette - rgb).sum(1).argmin())]


# --- ground -------------------------------------------------------------------------------------


def ground_of(pixels: np.ndarray) -> np.ndarray:
    """The ground's colour in every row, float64 [H, 3]: a straight course from top to bottom."""
    border = np.concatenate([pixels[:, :4], pixels[:, -4:]], 1).astype(np.float64)
    rows = np.median(border, axis=1)
    down = np.linspace(0, 1, len(rows))
    fit = np.empty_like(rows)
    weight = np.ones(len(rows))
    for _ in range(3):  # rows that something else touches lose their say
        for channel in range(3):
            fit[:, channel] = np.polyval(np.polyfit(down, rows[:, channel], 1, w=weight), down)
        weight = 1 / (1 + (np.sqrt(np.square(rows - fit).sum(1)) / 15) ** 2)
    return fit


def _ground_names(fit: np.ndarray) -> tuple[str, str]:
    if np.sqrt(np.square(fit[0] - fit[-1]).sum()) < 25:
        name = nearest_color(fit.mean(0), scenes.GROUND_COLORS)
        return name, name
    top, bottom = (nearest_color(fit[row], scenes.GROUND_COLORS) for row in (0, -1))
    return top, bottom


# --- parts --------------------------------------------------------------------------------------


def components(mask: np.ndarray) -> list[np.ndarray]:
    """Connected parts of a mask, eight neighbours each, the largest first; specks are left out."""
    parents: list[int] = []
    runs: list[tuple[int, int, int]] = []

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    above: range = range(0)
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        first = len(runs)
        for left, right in edges.reshape(-1, 2):
            me = len(runs)
            runs.append((y, int(left), int(right)))
            parents.append(me)
            for other in above:
                if runs[other][1] <= right and left <= runs[other][2]:
                    parents[root(other)] = root(me)
        above = range(first, len(runs))
    parts: dict[int, np.ndarray] = {}
    for i, (y, left, right) in enumerate(runs):
        part = parts.setdefault(root(i), np.zeros_like(mask))
        part[y, left:right] = True
    large = [part for part in parts.values() if part.sum() >= _SPECK * mask.size]
    return sorted(large, key=lambda part: -int(part.sum()))


def _nearest_thing_color(pixels: np.ndarray) -> np.ndarray:
    """Index into THING_COLORS of every pixel, [...] of [..., 3]."""
    palette = np.array([scenes.COLORS[name] for name in scenes.THING_COLORS], dtype=np.float64)
    return np.square(pixels[..., None, :].astype(np.float64) - palette).sum(-1).argmin(-1)


def _split_by_color(part: np.ndarray, colors: np.ndarray) -> list[np.ndarray]:
    """Two things that touch are two parts if their colours differ."""
    counts = np.bincount(colors[part], minlength=len(scenes.THING_COLORS))
    first, second = np.argsort(-counts)[:2]
    if counts[second] < 0.25 * counts.sum():
        return [part]
    out = []
    for color in (first, second):
        pieces = components(part & (colors == color))
        out += pieces[:1]
    if len(out) < 2 or out[1].sum() < 0.2 * part.sum():
        return [part]
    return out


# --- shapes -------------------------------------------------------------------------------------


def _fit(cover: np.ndarray) -> np.ndarray:
    """A thing's coverage, cropped to its box and scaled to the grid: float [32, 32]."""
    image = Image.fromarray(np.rint(cover * 255).astype(np.uint8))
    return np.asarray(image.resize((_GRID, _GRID), Image.Resampling.BOX), dtype=np.float64) / 255


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


class Template(NamedTuple):
    """A drawn shape. ratio: height by width; reach: half the longer side in radii;
    shift: of the centre from the middle of the box, in radii."""

    noun: str
    cover: np.ndarray  # on the grid
    ratio: float
    reach: float
    shift: tuple[float, float]


@functools.cache
def _templates() -> list[Template]:
    out = []
    for noun in scenes.SHAPES:
        turns = (0.0,) if noun in {"circle", "ring"} else (-10.0, -5.0, 0.0, 5.0, 10.0)
        for angle in turns:
            thing = scenes.Thing(noun, "red", "large", 0.5, 0.5, 0.4, angle)
            cover, *corner = scenes.coverage(thing, 128, 128)
            box = _box(cover > 0.5)
            height, width = (side.stop - side.start for side in box)
            down, right = (
                (64 - part.start - (side.start + side.stop) / 2) / 51.2
                for part, side in zip(corner, box, strict=True)
            )
            reach = max(height, width) / 102.4
            out.append(Template(noun, _fit(cover[box]), height / width, reach, (right, down)))
    return out


def _thing(pixels: np.ndarray, part: np.ndarray, ground: np.ndarray) -> Seen:
    # Its colour: what most of its pixels are nearest to. Edges are mixtures.
    colors = _nearest_thing_color(pixels[part])
    name = scenes.THING_COLORS[int(np.bincount(colors, minlength=9).argmax())]
    inner = pixels[part][colors == scenes.THING_COLORS.index(name)].astype(np.float64)
    # How far each pixel is on the way from the ground to that colour.
    way = np.median(inner, axis=0) - ground[:, None]
    cover = ((pixels - ground[:, None]) * way).sum(-1) / np.square(way).sum(-1).clip(1)
    near = part.copy()
    for _ in range(2):
        padded = np.pad(near, 1)
        shifts = (padded[1 + dy : len(padded) - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
                  for dy, dx in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)))  # fmt: skip
        near = np.logical_or.reduce(list(shifts))
    cover = np.where(near, cover.clip(0, 1), 0)
    box = _box((cover > 0.5) & near) if (cover > 0.5).any() else _box(part)
    height, width = (side.stop - side.start for side in box)
    fitted = _fit(cover[box])
    score, best = -1.0, _templates()[0]
    for template in _templates():
        overlap = np.minimum(fitted, template.cover).sum()
        overlap /= np.maximum(fitted, template.cover).sum()
        skew = abs(math.log((height / width) / template.ratio))
        if overlap - 0.3 * skew > score:
            score, best = float(overlap - 0.3 * skew), template
    pixels_radius = max(height, width) / 2 / best.reach
    radius = pixels_radius / min(part.shape)
    size = "small" if radius < 0.18 else "large" if radius > 0.30 else "medium"
    x = (box[1].start + width / 2 + best.shift[0] * pixels_radius) / part.shape[1]
    y = (box[0].start + height / 2 + best.shift[1] * pixels_radius) / part.shape[0]
    return Seen(best.noun, name, size, float(x), float(y), radius, max(score, 0.0))


def look(pixels: np.ndarray) -> Look:
    """Ground and things of a uint8 [H, W, 3] image."""
    ground = ground_of(pixels)
    mask = np.sqrt(np.square(pixels - ground[:, None]).sum(-1)) > CONTRAST
    colors = _nearest_thing_color(pixels)
    found = [
        _thing(pixels, piece, ground)
        for part in components(mask)
        for piece in _split_by_color(part, colors)
    ]
    found.sort(key=lambda seen: -seen.radius)
    return Look(_ground_names(ground), tuple(found))


# --- verdicts -----------------------------------------------------------------------------------


def _cell(seen: Seen) -> str:
    return scenes.Thing(seen.noun, seen.color, seen.size, seen.x, seen.y, seen.radius).cell


def _relation(first: Seen, second: Seen) -> str:
    dx, dy = first.x - second.x, first.y - second.y
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"


def _against(claims: scenes.Claims, order: tuple[Seen, ...]) -> dict[str, bool]:
    """Points of the claims' things, in their order, against things found, in theirs."""
    pairs = list(zip(claims.things, order, strict=False))
    full = len(pairs) == len(claims.things)
    answer = {"shape": full and all(claim[0] in {None, seen.noun} for claim, seen in pairs)}
    if any(claim[1] for claim in claims.things):
        answer["color"] = full and all(claim[1] in {None, seen.color} for claim, seen in pairs)
    if any(claim[2] for claim in claims.things):
        answer["size"] = full and all(claim[2] in {None, seen.size} for claim, seen in pairs)
    if claims.cell is not None:
        answer["position"] = full and _cell(pairs[0][1]) == claims.cell
    if claims.relation is not None:
        answer["relation"] = full and _relation(pairs[0][1], pairs[1][1]) == claims.relation
    return answer


def verdict(pixels: np.ndarray, claims: scenes.Claims) -> dict[str, bool]:
    """Point by point, whether an image does what its caption says.

    Keys: "count", and as far as claimed "shape", "color", "size", "ground", "position", "relation".
    A relation counts only with the right things in it.
    """
    seen = look(pixels)
    result = {"count": len(seen.things) == len(claims.things)}
    if claims.ground is not None:
        result["ground"] = seen.ground == claims.ground
    first = seen.things[: len(claims.things)]
    answers = [_against(claims, order) for order in {first, first[::-1]}]
    best = max(
        answers, key=lambda a: (sum(v for k, v in a.items() if k != "relation"), sum(a.values()))
    )
    if "relation" in best:
        best["relation"] = best["relation"] and best["shape"] and best.get("color", True)
    return result | best
