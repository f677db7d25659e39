"""What can be in a picture: colours, things, grounds; random scenes; what is held out.

A `Scene` is the truth about a picture, in coordinates relative to the canvas, so that one scene can
be drawn at any size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (220, 38, 38),
    "orange": (245, 140, 20),
    "yellow": (250, 215, 40),
    "green": (40, 160, 70),
    "blue": (40, 80, 220),
    "purple": (130, 50, 180),
    "pink": (250, 140, 190),
    "black": (20, 20, 24),
    "white": (250, 250, 250),
    "cream": (250, 236, 200),
}
THING_COLORS = tuple(name for name in COLORS if name != "cream")
GROUND_COLORS = tuple(COLORS)
# Pairs of colours that cannot be told apart at a glance; never used against each other.
_CLASHES = {frozenset(("white", "cream")), frozenset(("yellow", "cream"))}

SHAPES = ("circle", "square", "triangle", "star", "hexagon", "heart", "cross", "ring")
SIZES = ("small", "medium", "large")
# Rows from top to bottom, columns from left to right; index 4 is the centre.
CELLS = (
    "top left", "top", "top right",
    "left", "center", "right",
    "bottom left", "bottom", "bottom right",
)  # fmt: skip
RELATIONS = ("left", "right", "above", "below")  # of the first thing to the second
INVERSE = {"left": "right", "right": "left", "above": "below", "below": "above"}
COMPOSITION_SHAPES = ("circle", "triangle", "ring", "square")

_RADII = {"small": (0.12, 0.16), "medium": (0.20, 0.27), "large": (0.33, 0.40)}
_ROTATED = {"square", "triangle", "star", "hexagon", "heart", "cross"}
_HELD_OUT = 8  # one combination in so many is kept for the score


@dataclass(frozen=True)
class Thing:
    """One thing. x, y: centre in [0, 1] of width and height; radius: by the shorter side."""

    noun: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    angle: float = 0.0

    @property
    def cell(self) -> str:
        """The ninth of the canvas that holds the centre, one of CELLS."""
        column = 0 if self.x < 0.4 else 2 if self.x > 0.6 else 1
        row = 0 if self.y < 0.4 else 2 if self.y > 0.6 else 1
        return CELLS[3 * row + column]


@dataclass(frozen=True)
class Line:
    """A straight line of a composition. Ends in [0, 1]; width by the shorter side."""

    color: str
    start: tuple[float, float]
    end: tuple[float, float]
    width: float


@dataclass(frozen=True)
class Scene:
    """The truth about a picture.

    ground: colours at the top and at the bottom, alike for a plain one. things: one, a pair with
    the relation of the first to the second, or those of a composition. lines: a composition's.
    """

    ground: tuple[str, str]
    things: tuple[Thing, ...]
    relation: str | None = None
    lines: tuple[Line, ...] = ()

    @property
    def kind(self) -> str:
        return "composition" if self.lines else "pair" if self.relation else "single"


# --- colours that fit ---------------------------------------------------------------------------


def distinct(first: str, second: str) -> bool:
    """Whether two colours can stand against each other in a picture."""
    return first != second and frozenset((first, second)) not in _CLASHES


def stands_out(color: str, ground: tuple[str, str]) -> bool:
    """Whether a colour is distinct from every colour of a ground."""
    if ground[0] == ground[1]:
        return distinct(color, ground[0])
    if not all(distinct(color, end) for end in ground):
        return False
    top, bottom, own = (np.array(COLORS[name], dtype=float) for name in (*ground, color))
    mixes = top + np.linspace(0, 1, 11)[:, None] * (bottom - top)
    return bool(np.sqrt(np.square(mixes - own).sum(1)).min() > 90)


def pick(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[int(rng.integers(len(items)))]


def random_ground(rng: np.random.Generator) -> tuple[str, str]:
    """A plain ground, white more often than others, or one in eight times a gradient."""
    lot = rng.random()
    if lot < 0.25:
        return ("white", "white")
    first = pick(rng, GROUND_COLORS)
    if lot < 0.87:
        return (first, first)
    second = pick(rng, GROUND_COLORS)
    while not distinct(first, second):
        second = pick(rng, GROUND_COLORS)
    return (first, second)


# --- what training never draws ------------------------------------------------------------------


def single_held_out(noun: str, color: str, ground: tuple[str, str]) -> bool:
    """Whether a thing of this shape and colour on this ground is kept for the score.

    It is the three together that training never draws, a red circle on white, for one; any two of
    them it does. Only grounds that are red or white below are concerned.
    """
    if ground[1] not in {"red", "white"}:
        return False
    number = 3 * SHAPES.index(noun) + 5 * THING_COLORS.index(color)
    number += 7 * GROUND_COLORS.index(ground[0]) + GROUND_COLORS.index(ground[1])
    return number % _HELD_OUT == 0


def pair_held_out(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether these two things, each (noun, colour), are kept for the score, in any order."""
    number = sum(SHAPES.index(noun) for noun, _ in (first, second))
    number += 3 * sum(THING_COLORS.index(color) for _, color in (first, second))
    return number % _HELD_OUT == 0


def held_out(scene: Scene) -> bool:
    """Whether a scene is of a combination that training never draws. Compositions never are."""
    if scene.kind == "single":
        thing = scene.things[0]
        return single_held_out(thing.noun, thing.color, scene.ground)
    if scene.kind == "pair":
        first, second = ((thing.noun, thing.color) for thing in scene.things)
        return pair_held_out(first, second)
    return False


# --- random scenes ------------------------------------------------------------------------------


def _angle(rng: np.random.Generator, noun: str, reach: float = 10) -> float:
    return float(rng.uniform(-reach, reach)) if noun in _ROTATED else 0.0


def place(
    rng: np.random.Generator, noun: str, color: str, size: str, cell: str = "center"
) -> Thing:
    """A thing of a size in a ninth of the canvas."""
    index, reach = CELLS.index(cell), 0.29 if size == "small" else 0.24
    shake_x, shake_y = rng.uniform(-0.03, 0.03, 2)
    x = 0.5 + reach * (index % 3 - 1) + float(shake_x)
    y = 0.5 + reach * (index // 3 - 1) + float(shake_y)
    low, high = _RADII[size]
    if cell != "center":
        high = min(high, 0.23)  # stays inside the canvas
    radius = float(rng.uniform(low, high))
    return Thing(noun, color, size, x, y, radius, _angle(rng, noun))


def random_single(rng: np.random.Generator) -> Scene:
    """One thing; mostly medium and in the centre, which is what a caption without either means."""
    ground = random_ground(rng)
    color = pick(rng, THING_COLORS)
    while not stands_out(color, ground):
        color = pick(rng, THING_COLORS)
    size = SIZES[int(rng.choice(3, p=(0.25, 0.5, 0.25)))]
    cell = "center"
    if size != "large" and rng.random() < 0.5:
        # Sides more often than corners.
        cell = CELLS[(1, 3, 5, 7, 1, 3, 5, 7, 0, 2, 6, 8)[int(rng.integers(12))]]
    return Scene(ground, (place(rng, pick(rng, SHAPES), color, size, cell),))


def random_pair(rng: np.random.Generator) -> Scene:
    """Two different things beside or above each other."""
    while True:
        ground = random_ground(rng)
        fitting = tuple(c for c in THING_COLORS if stands_out(c, ground))
        first, second = ((pick(rng, SHAPES), pick(rng, fitting)) for _ in range(2))
        if first != second:
            break
    relation = RELATIONS[int(rng.integers(4))]
    gap = float(rng.uniform(0.23, 0.27))
    sign = -1 if relation in {"left", "above"} else 1
    dx, dy = (sign * gap, 0.0) if relation in {"left", "right"} else (0.0, sign * gap)
    things = []
    for (noun, color), side in ((first, 1), (second, -1)):
        shake_x, shake_y = rng.uniform(-0.02, 0.02, 2)
        radius = float(rng.uniform(0.16, 0.21))
        x, y = 0.5 + side * dx + float(shake_x), 0.5 + side * dy + float(shake_y)
        things.append(Thing(noun, color, "medium", x, y, radius, _angle(rng, noun)))
    return Scene(ground, tuple(things), relation)


@functools.lru_cache(maxsize=8)  # the few lines of one composition, asked for again and again
def _points(line: Line) -> np.ndarray:
    """Points along a line, [33, 2]."""
    points = np.linspace(line.start, line.end, 33)
    points.flags.writeable = False
    return points


def _random_line(rng: np.random.Generator, fitting: tuple[str, ...]) -> Line:
    """A long line, mostly black."""
    while True:
        ends = rng.uniform(0.05, 0.95, (2, 2))
        if np.hypot(*(ends[1] - ends[0])) > 0.6:
            break
    color = "black" if rng.random() < 0.8 else pick(rng, fitting)
    (x0, y0), (x1, y1) = ends.tolist()
    return Line(color, (x0, y0), (x1, y1), float(rng.uniform(0.024, 0.036)))


def _goes_with(line: Line, other: Line) -> bool:
    """Whether two lines cross at an angle that shows, or stay apart."""
    first, second = _points(line), _points(other)
    along, across = first[-1] - first[0], second[-1] - second[0]
    cosine = abs(along @ across) / (np.hypot(*along) * np.hypot(*across))
    return bool(cosine < 0.8 or np.hypot(*(first[:, None] - second).T).min() > 0.15)


def random_composition(rng: np.random.Generator) -> Scene:
    """Lines that cross, and circles, triangles, rings and squares in the room between them.

    In half of them a line runs through the largest thing; all else stays apart, for what touches
    everywhere is a tangle, in a small picture most of all.
    """
    ground = ("cream", "cream")
    fitting = tuple(c for c in THING_COLORS if stands_out(c, ground))
    lines = [_random_line(rng, fitting)]
    wanted = int(rng.integers(2, 4))
    while len(lines) < wanted:
        line = _random_line(rng, fitting)
        if all(_goes_with(line, other) for other in lines):
            lines.append(line)
    things: list[Thing] = []
    wanted = int(rng.integers(2, 5))
    for _ in range(60):
        if len(things) == wanted:
            break
        noun = COMPOSITION_SHAPES[int(rng.choice(4, p=(0.4, 0.3, 0.15, 0.15)))]
        radius = float(rng.uniform(0.13, 0.19) if not things else rng.uniform(0.09, 0.14))
        reach = 1.2 * radius + 0.03
        x, y = (float(v) for v in rng.uniform(reach, 1 - reach, 2))
        free = lines
        if not things and rng.random() < 0.5:
            x, y = (float(v) for v in _points(lines[0])[int(rng.integers(9, 24))])
            free = lines[1:]
        gaps = [np.hypot(*(_points(line) - (x, y)).T).min() - line.width / 2 for line in free]
        gaps += [np.hypot(x - t.x, y - t.y) - 1.2 * t.radius for t in things]
        if min((*gaps, x, y, 1 - x, 1 - y)) > reach:
            angle = _angle(rng, noun, 60)
            things.append(Thing(noun, pick(rng, fitting), "medium", x, y, radius, angle))
    if len(things) < 2:
        return random_composition(rng)
    return Scene(ground, tuple(things), None, tuple(lines))


def random_scene(
    rng: np.random.Generator,
    shares: tuple[float, float, float] = (0.39, 0.39, 0.22),
    extra: tuple[str, ...] = (),
) -> Scene:
    """A scene that is not held out.

    shares: of single things, pairs and compositions. extra: shapes that are to come more often: of
    other things without them, half are passed over.
    """
    single, pair = shares[0], shares[0] + shares[1]
    while True:
        kind = rng.random()
        make = (
            random_single if kind < single else random_pair if kind < pair else random_composition
        )
        while held_out(scene := make(rng)):
            pass
        is_wanted = not extra or any(thing.noun in extra for thing in scene.things)
        if is_wanted or scene.kind == "composition" or rng.random() < 0.5:
            return scene
