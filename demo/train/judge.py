"""Reads a picture of the demo world back into what it shows, without any network.

Works on clean drawings and on painted pictures alike: background from the border, things by colour
difference, shapes by overlap with drawn templates. Needs numpy and Pillow only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import scenes
from PIL import Image

_GRID = 32  # templates and things are compared at this size
_CONTRAST = 60.0  # distance in RGB from which a pixel is not background


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


def nearest_color(rgb: np.ndarray, names: tuple[str, ...]) -> str:
    """The palette's name for a colour."""
    palette = np.array([scenes.COLORS[name] for name in names], dtype=np.float64)
    return names[int(np.square(palette - rgb).sum(1).argmin())]


def _fit(mask: np.ndarray) -> np.ndarray:
    """Crops a mask to what it covers and scales that to the grid: bool [32, 32]."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture = Image.fromarray(crop.astype(np.uint8) * 255)
    return np.asarray(picture.resize((_GRID, _GRID), Image.Resampling.BOX)) > 127


@functools.cache
def _templates() -> list[tuple[str, np.ndarray, float, float]]:
    """noun, grid mask, height by width, half extent in radii."""
    out = []
    for noun in scenes.NOUNS:
        for angle in (-8.0, 0.0, 8.0) if noun in scenes.SHAPES else (0.0,):
            thing = scenes.Thing(noun, "red", "large", 0.5, 0.5, 0.4, angle)
            pixels = scenes.draw(scenes.Scene("white", (thing,)))
            mask = np.abs(pixels.astype(int) - 250).sum(-1) > _CONTRAST
            rows, columns = mask.any(1).sum(), mask.any(0).sum()
            out.append((noun, _fit(mask), rows / columns, max(rows, columns) / 2 / (0.4 * 128)))
    return out


def _components(mask: np.ndarray) -> list[np.ndarray]:
    """Connected parts of at least 24 pixels; parts with overlapping boxes count as one thing."""
    label = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(label, 1)
        spread = np.max(
            [padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
             for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0
        )  # fmt: skip
        spread = np.where(mask, spread, 0)
        if np.array_equal(spread, label):
            break
        label = spread
    names, counts = np.unique(label[label > 0], return_counts=True)
    parts = [label == name for name, n in zip(names, counts, strict=True) if n >= 24]
    merged: list[np.ndarray] = []
    for part in sorted(parts, key=lambda p: -int(p.sum())):
        ys, xs = np.nonzero(part)
        for i, other in enumerate(merged):
            oy, ox = np.nonzero(other)
            if (
                ys.min() <= oy.max() and oy.min() <= ys.max()
                and xs.min() <= ox.max() and ox.min() <= xs.max()
            ):  # fmt: skip
                merged[i] = other | part
                break
        else:
            merged.append(part)
    return merged


def _thing(pixels: np.ndarray, mask: np.ndarray) -> Seen:
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    rows, columns = ys.max() - ys.min() + 1, xs.max() - xs.min() + 1
    fitted = _fit(mask)
    best = ("circle", -1.0, 1.0)
    for noun, template, ratio, reach in _templates():
        overlap = (fitted & template).sum() / max(1, (fitted | template).sum())
        skew = abs(np.log((rows / columns) / ratio))
        score = float(overlap - 0.3 * skew)
        if score > best[1]:
            best = (noun, score, reach)
    noun, score, reach = best
    if noun in {"circle", "face"}:  # same outline; a face has something inside
        inner = np.square(np.indices(mask.shape).T - [ys.mean(), xs.mean()]).sum(-1).T
        core = pixels[inner < (0.35 * max(rows, columns)) ** 2].astype(np.float64)
        odd = np.sqrt(np.square(core - np.median(core, axis=0)).sum(-1)) > 2 * _CONTRAST
        noun = "face" if odd.mean() > 0.08 else "circle"
    # The most frequent palette colour: edges are mixtures, and things may have parts.
    palette = np.array([scenes.COLORS[name] for name in scenes.THING_COLORS], dtype=np.float64)
    distance = np.square(pixels[mask][:, None].astype(np.float64) - palette).sum(-1)
    votes = np.bincount(distance.argmin(1), minlength=len(palette))
    radius = max(rows, columns) / 2 / reach / min(width, height)
    size = "small" if radius < 0.185 else "large" if radius > 0.30 else "medium"
    x, y = (xs.min() + columns / 2) / width, (ys.min() + rows / 2) / height
    return Seen(noun, scenes.THING_COLORS[int(votes.argmax())], size, x, y, radius, max(score, 0.0))


def look(pixels: np.ndarray) -> tuple[str, list[Seen]]:
    """Background and things of a uint8 [H, W, 3] picture, the largest thing first."""
    values = pixels.astype(np.float64)
    border = np.concatenate(
        [values[:3].reshape(-1, 3), values[-3:].reshape(-1, 3),
         values[:, :3].reshape(-1, 3), values[:, -3:].reshape(-1, 3)]
    )  # fmt: skip
    ground = np.median(border, axis=0)
    mask = np.sqrt(np.square(values - ground).sum(-1)) > _CONTRAST
    found = [_thing(pixels, part) for part in _components(mask)]
    found.sort(key=lambda seen: -seen.radius)
    return nearest_color(ground, scenes.BACKGROUNDS), found


def verdict(pixels: np.ndarray, claims: scenes.Claims) -> dict[str, bool]:
    """Point by point, whether a picture does what its caption says.

    Keys: "count", and as far as claimed "noun", "color", "size", "background", "place", "relation".
    """
    background, found = look(pixels)
    result = {"count": len(found) == len(claims.things)}
    if claims.background is not None:
        result["background"] = background == claims.background
    best: dict[str, bool] = {}
    orders = [found] if len(claims.things) == 1 else [found[:2], found[:2][::-1]]
    for order in orders:
        answer: dict[str, bool] = {}
        pairs = list(zip(claims.things, order, strict=False))
        full = len(pairs) == len(claims.things)
        answer["noun"] = full and all(claim[0] == seen.noun for claim, seen in pairs)
        if any(claim[1] for claim in claims.things):
            answer["color"] = full and all(c[1] in {None, seen.color} for c, seen in pairs)
        if any(claim[2] for claim in claims.things):
            answer["size"] = full and all(c[2] in {None, seen.size} for c, seen in pairs)
        if claims.cell is not None:
            answer["place"] = full and _cell(pairs[0][1]) == claims.cell
        if claims.relation is not None:
            answer["relation"] = full and _relation(pairs[0][1], pairs[1][1]) == claims.relation
        if sum(answer.values()) > sum(best.values()) or not best:
            best = answer
    return result | best


def _cell(seen: Seen) -> str:
    return scenes.Thing(seen.noun, seen.color, seen.size, seen.x, seen.y, seen.radius).cell


def _relation(first: Seen, second: Seen) -> str:
    dx, dy = first.x - second.x, first.y - second.y
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"
