"""Truth and claims as numbers: what heads learn to read and scores are counted by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draw import coverage
from .world import CELLS, COLORS, GROUND_COLORS, INVERSE, SHAPES, SIZES, THING_COLORS, Scene, Thing


@dataclass(frozen=True)
class Claims:
    """What a caption says; None and open fields mean that it leaves that to the painter.

    things: noun, colour, size in the order of the caption; none for a composition. ground: colours
    at the top and at the bottom, alike for a plain one. cell: place of a single thing.
    relation: of the first thing to the second.
    """

    things: tuple[tuple[str | None, str | None, str | None], ...]
    ground: tuple[str, str] | None = None
    cell: str | None = None
    relation: str | None = None

    @property
    def kind(self) -> str:
        return ("composition", "single", "pair")[len(self.things)]


# One column per question; -1 leaves it open. "none" answers for what there is not.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "kind": ("single", "pair", "composition", "nothing"),
    "noun": SHAPES,
    "color": THING_COLORS,
    "size": SIZES,
    "second noun": (*SHAPES, "none"),
    "second color": (*THING_COLORS, "none"),
    "ground": GROUND_COLORS,
    "ground below": GROUND_COLORS,
    "cell": (*CELLS, "none"),
    "relation": ("left", "above", "none"),
}


def in_order(scene: Scene) -> tuple[Thing, ...]:
    """A scene's things, the left or upper one of a pair first."""
    return scene.things[::-1] if scene.relation in {"right", "below"} else scene.things


def attributes(scene: Scene | Claims) -> np.ndarray:
    """Answers to ATTRIBUTES, int64 [10]. Of a pair, the left or upper thing comes first."""
    if isinstance(scene, Scene):
        things = [(t.noun, t.color, t.size) for t in scene.things]
        cell: str | None = scene.things[0].cell if scene.kind == "single" else "none"
    else:
        things, cell = list(scene.things), scene.cell
    relation = scene.relation
    ground: tuple[str | None, str | None] = scene.ground or (None, None)
    if scene.kind == "composition":
        answers: tuple[str | None, ...] = (scene.kind, *[None] * 5, *ground, None, None)
    else:
        if relation in {"right", "below"}:
            things.reverse()
            relation = INVERSE[relation]
        second: tuple[str | None, ...] = ("none", "none")
        if scene.kind == "pair":
            second, cell = things[1][:2], "none"
        else:
            relation = "none"
        answers = (scene.kind, *things[0], *second, *ground, cell, relation)
    return np.array(
        [
            -1 if answer is None else options.index(answer)
            for answer, options in zip(answers, ATTRIBUTES.values(), strict=True)
        ]
    )


def satisfied(truths: np.ndarray, claims: np.ndarray) -> np.ndarray:
    """Which pictures a caption is true of: [N, 10] truths and [M, 10] claims to bool [N, M]."""
    return ((claims[None] == -1) | (claims[None] == truths[:, None])).all(-1)


def presence(scene: Scene) -> np.ndarray:
    """Which shapes, then which colours of things and lines there are: float32 [8 + 9]."""
    out = np.zeros(len(SHAPES) + len(THING_COLORS), dtype=np.float32)
    for thing in scene.things:
        out[SHAPES.index(thing.noun)] = 1
    for element in (*scene.things, *scene.lines):
        out[len(SHAPES) + THING_COLORS.index(element.color)] = 1
    return out


def geometry(scene: Scene) -> np.ndarray:
    """x, y and radius of the first and of the second thing, float32 [6]; NaN for what is not."""
    out = np.full(6, np.nan, dtype=np.float32)
    if scene.kind != "composition":
        for i, thing in enumerate(in_order(scene)):
            out[3 * i : 3 * i + 3] = thing.x, thing.y, thing.radius
    return out


PATCH_NOUNS = ("ground", *SHAPES, "line")
PATCH_COLORS = tuple(COLORS)


def patches(scene: Scene, grid: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """What stands in each part of a square grid: PATCH_NOUNS and PATCH_COLORS, int64 [grid, grid].

    A thing counts from a fifth of the part; the ground of a gradient has its nearer end's colour.
    """
    nouns = np.zeros((grid, grid), dtype=np.int64)
    colors = np.empty((grid, grid), dtype=np.int64)
    colors[: grid // 2] = PATCH_COLORS.index(scene.ground[0])
    colors[grid // 2 :] = PATCH_COLORS.index(scene.ground[1])
    for element in (*scene.things, *scene.lines):
        cover, rows, columns = coverage(element, 2 * grid, 2 * grid)
        whole = np.zeros((2 * grid, 2 * grid), dtype=np.float32)
        whole[rows, columns] = cover
        there = whole.reshape(grid, 2, grid, 2).mean((1, 3)) > 0.2
        noun = element.noun if isinstance(element, Thing) else "line"
        nouns[there] = PATCH_NOUNS.index(noun)
        colors[there] = PATCH_COLORS.index(element.color)
    return nouns, colors
