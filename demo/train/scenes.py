"""The demo model's world: simple pictures, drawn by code, with captions and the truth about them.

A `Scene` is the truth: a background and one or two things with shape, colour, size and place, all
in coordinates relative to the canvas, so that one scene can be drawn at any size. `draw` turns it
into anti-aliased RGB pixels, `caption` into an English or Russian sentence that is true of it.

Needs numpy and Pillow only. Everything random takes a `numpy.random.Generator`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

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
BACKGROUNDS = tuple(COLORS)
# Pairs of colours that cannot be told apart at a glance; never used against each other.
_CLASHES = {frozenset(("white", "cream")), frozenset(("yellow", "cream"))}

SHAPES = ("circle", "square", "triangle", "star", "hexagon", "heart", "cross", "ring")
OBJECTS = ("house", "tree", "flower", "face", "boat", "cat", "fish")
NOUNS = SHAPES + OBJECTS
SIZES = ("small", "medium", "large")
# Rows from top to bottom, columns from left to right; index 4 is the centre.
CELLS = (
    "top left", "top", "top right",
    "left", "center", "right",
    "bottom left", "bottom", "bottom right",
)  # fmt: skip
RELATIONS = ("left", "right", "above", "below")  # of the first thing to the second
LANGUAGES = ("en", "ru")

_RADII = {"small": (0.12, 0.16), "medium": (0.21, 0.27), "large": (0.33, 0.40)}
_ROTATED = {"square", "triangle", "star", "hexagon", "heart", "cross"}
_SUPERSAMPLING = 4


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
class Scene:
    """The truth about a picture. relation: of things[0] to things[1], None for a single thing."""

    background: str
    things: tuple[Thing, ...]
    relation: str | None = None


# --- making scenes ------------------------------------------------------------------------------


def distinct(first: str, second: str) -> bool:
    """Whether two colours can stand against each other in a picture."""
    return first != second and frozenset((first, second)) not in _CLASHES


def _pick(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[int(rng.integers(len(items)))]


def _thing(rng: np.random.Generator, noun: str, color: str, size: str, x: float, y: float) -> Thing:
    low, high = _RADII[size]
    angle = float(rng.uniform(-10, 10)) if noun in _ROTATED else 0.0
    return Thing(noun, color, size, x, y, float(rng.uniform(low, high)), angle)


def random_single(rng: np.random.Generator, nouns: tuple[str, ...] = SHAPES) -> Scene:
    """One thing; mostly medium and in the centre, which is what a caption without either means."""
    background = "white" if rng.random() < 0.3 else _pick(rng, BACKGROUNDS)
    color = _pick(rng, tuple(c for c in THING_COLORS if distinct(c, background)))
    size = ("small", "medium", "large")[int(rng.choice(3, p=(0.25, 0.5, 0.25)))]
    x = y = 0.5
    if size != "large" and rng.random() < 0.45:
        cell = int(rng.integers(8))
        cell += cell >= 4  # the centre has its own share above
        reach = 0.29 if size == "small" else 0.24
        x += reach * (cell % 3 - 1)
        y += reach * (cell // 3 - 1)
    x += float(rng.uniform(-0.03, 0.03))
    y += float(rng.uniform(-0.03, 0.03))
    return Scene(background, (_thing(rng, _pick(rng, nouns), color, size, x, y),))


def random_pair(rng: np.random.Generator) -> Scene:
    """Two different things beside or above each other."""
    background = "white" if rng.random() < 0.3 else _pick(rng, BACKGROUNDS)
    fitting = tuple(c for c in THING_COLORS if distinct(c, background))
    first, second = _pick(rng, fitting), _pick(rng, fitting)
    nouns = NOUNS if rng.random() < 0.1 else SHAPES
    noun_1, noun_2 = _pick(rng, nouns), _pick(rng, nouns)
    while (noun_1, first) == (noun_2, second):
        noun_2, second = _pick(rng, nouns), _pick(rng, fitting)
    relation = RELATIONS[int(rng.choice(4, p=(0.4, 0.2, 0.2, 0.2)))]
    gap = float(rng.uniform(0.23, 0.27))
    sign = -1 if relation in {"left", "above"} else 1
    dx, dy = (sign * gap, 0.0) if relation in {"left", "right"} else (0.0, sign * gap)
    things = []
    for noun, color, side in ((noun_1, first, 1), (noun_2, second, -1)):
        shake_x, shake_y = rng.uniform(-0.02, 0.02, 2)
        radius = float(rng.uniform(0.16, 0.21))
        angle = float(rng.uniform(-10, 10)) if noun in _ROTATED else 0.0
        x, y = 0.5 + side * dx + float(shake_x), 0.5 + side * dy + float(shake_y)
        things.append(Thing(noun, color, "medium", x, y, radius, angle))
    return Scene(background, tuple(things), relation)


def random_scene(rng: np.random.Generator) -> Scene:
    """A scene of the training mixture: half single shapes, a third pairs, the rest objects."""
    kind = rng.random()
    if kind < 0.52:
        return random_single(rng)
    if kind < 0.86:
        return random_pair(rng)
    return random_single(rng, OBJECTS)


# --- drawing ------------------------------------------------------------------------------------

Point = tuple[float, float]
Part = tuple[str, object, tuple[int, int, int]]  # "polygon" | "ellipse" | "ring", geometry, colour


def _ngon(corners: int, radius: float = 1.0, turn: float = -90.0) -> list[Point]:
    step = 360.0 / corners
    return [
        (
            radius * math.cos(math.radians(turn + i * step)),
            radius * math.sin(math.radians(turn + i * step)),
        )
        for i in range(corners)
    ]


def _box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


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


def _smile() -> list[Point]:
    upper = [(0.5 * math.cos(a), 0.1 + 0.30 * math.sin(a)) for a in np.linspace(math.pi, 0, 12)]
    lower = [(0.5 * math.cos(a), 0.1 + 0.55 * math.sin(a)) for a in np.linspace(0, math.pi, 12)]
    return upper + lower


def _parts(noun: str, color: str, rgb: tuple[int, int, int]) -> list[Part]:
    """The coloured pieces of a thing in its own frame: radius 1, y down, drawn in order."""
    dark = color in {"black", "blue", "purple", "green"}
    eye = (250, 250, 250) if dark else (20, 20, 24)
    wood, sail = (125, 78, 40), (190, 190, 195)
    simple = {
        "circle": [("ellipse", (-1, -1, 1, 1), rgb)],
        "square": [("polygon", _box(-0.85, -0.85, 0.85, 0.85), rgb)],
        "triangle": [("polygon", _ngon(3, 1.1), rgb)],
        "star": [("polygon", _star(), rgb)],
        "hexagon": [("polygon", _ngon(6, turn=0.0), rgb)],
        "heart": [("polygon", _heart(), rgb)],
        "cross": [("polygon", _cross(), rgb)],
        "ring": [("ring", 0.55, rgb)],
        "house": [
            ("polygon", _box(-0.7, -0.15, 0.7, 0.95), rgb),
            ("polygon", [(-0.95, -0.15), (0, -1), (0.95, -0.15)], wood),
            ("polygon", _box(-0.2, 0.35, 0.2, 0.95), eye),
        ],
        "tree": [
            ("polygon", _box(-0.16, 0.2, 0.16, 1), wood),
            ("ellipse", (-0.7, -1, 0.7, 0.4), rgb),
        ],
        "flower": [
            *(("ellipse", (x - 0.38, y - 0.38, x + 0.38, y + 0.38), rgb) for x, y in _ngon(6, 0.6)),
            (
                "ellipse",
                (-0.32, -0.32, 0.32, 0.32),
                COLORS["red" if color == "yellow" else "yellow"],
            ),
        ],
        "face": [
            ("ellipse", (-1, -1, 1, 1), rgb),
            ("ellipse", (-0.5, -0.5, -0.2, -0.1), eye),
            ("ellipse", (0.2, -0.5, 0.5, -0.1), eye),
            ("polygon", _smile(), eye),
        ],
        "boat": [
            ("polygon", _box(-0.06, -1, 0.06, 0.4), wood),
            ("polygon", [(0.12, -0.95), (0.8, 0.2), (0.12, 0.2)], sail),
            ("polygon", [(-1, 0.35), (1, 0.35), (0.6, 0.95), (-0.6, 0.95)], rgb),
        ],
        "cat": [
            ("polygon", [(-0.85, -1), (-0.1, -0.5), (-0.8, 0.1)], rgb),
            ("polygon", [(0.85, -1), (0.1, -0.5), (0.8, 0.1)], rgb),
            ("ellipse", (-0.9, -0.65, 0.9, 0.95), rgb),
            ("ellipse", (-0.5, -0.15, -0.2, 0.2), eye),
            ("ellipse", (0.2, -0.15, 0.5, 0.2), eye),
            ("polygon", [(-0.16, 0.38), (0.16, 0.38), (0, 0.58)], eye),
        ],
        "fish": [
            ("polygon", [(0.35, 0), (1, -0.6), (1, 0.6)], rgb),
            ("ellipse", (-1, -0.55, 0.6, 0.55), rgb),
            ("ellipse", (-0.65, -0.25, -0.4, 0), eye),
        ],
    }
    return simple[noun]


def _coverage(
    part: Part, center: Point, radius: float, angle: float, size: tuple[int, int]
) -> np.ndarray:
    """How much of each pixel a part covers: float [H, W] in [0, 1]."""
    s = _SUPERSAMPLING
    mask = Image.new("L", (size[0] * s, size[1] * s), 0)
    pen = ImageDraw.Draw(mask)
    cx, cy, r = center[0] * s, center[1] * s, radius * s
    kind, geometry, _ = part
    if kind == "polygon":
        c, n = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        pen.polygon(
            [(cx + r * (x * c - y * n), cy + r * (x * n + y * c)) for x, y in geometry], fill=255
        )
    elif kind == "ellipse":
        left, top, right, bottom = geometry
        pen.ellipse((cx + r * left, cy + r * top, cx + r * right, cy + r * bottom), fill=255)
    else:
        inner = r * geometry
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
        pen.ellipse((cx - inner, cy - inner, cx + inner, cy + inner), fill=0)
    return np.asarray(mask.reduce(s), dtype=np.float32) / 255


def draw(
    scene: Scene, width: int = 128, height: int = 128, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Draws a scene as uint8 [height, width, 3]. With rng, colours waver by up to 4 of 255."""

    def shade(name: str) -> tuple[int, int, int]:
        rgb = np.array(COLORS[name], dtype=np.int32)
        if rng is not None:
            rgb = np.clip(rgb + rng.integers(-4, 5, 3), 0, 255)
        return tuple(int(v) for v in rgb)

    pixels = np.empty((height, width, 3), dtype=np.float32)
    pixels[:] = shade(scene.background)
    shorter = min(width, height)
    for thing in scene.things:
        center = (thing.x * width, thing.y * height)
        for part in _parts(thing.noun, thing.color, shade(thing.color)):
            cover = _coverage(part, center, thing.radius * shorter, thing.angle, (width, height))
            pixels += cover[..., None] * (np.array(part[2], dtype=np.float32) - pixels)
    return np.rint(pixels).astype(np.uint8)


# --- captions -----------------------------------------------------------------------------------

_EN_NOUNS = {"face": ("smiley face", "smiley", "smiling face"), "cross": ("cross", "plus sign")}
_EN_SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
_EN_PLACES = {
    "center": ("in the center", "in the middle", "in the centre"),
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    "top left": ("in the top left corner", "at the top left"),
    "top right": ("in the top right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "at the bottom left"),
    "bottom right": ("in the bottom right corner", "at the bottom right"),
}
_EN_RELATIONS = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_EN_OPENINGS = ("a picture of ", "a drawing of ", "an image of ", "a painting of ", "a photo of ")

# gender, then nominative, genitive and instrumental
_RU_NOUNS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "circle": (("m", "круг", "круга", "кругом"),),
    "square": (("m", "квадрат", "квадрата", "квадратом"),),
    "triangle": (("m", "треугольник", "треугольника", "треугольником"),),
    "star": (("f", "звезда", "звезды", "звездой"),),
    "hexagon": (("m", "шестиугольник", "шестиугольника", "шестиугольником"),),
    "heart": (("n", "сердце", "сердца", "сердцем"),),
    "cross": (("m", "крест", "креста", "крестом"),),
    "ring": (("n", "кольцо", "кольца", "кольцом"),),
    "house": (("m", "дом", "дома", "домом"),),
    "tree": (("n", "дерево", "дерева", "деревом"),),
    "flower": (("m", "цветок", "цветка", "цветком"),),
    "face": (("m", "смайлик", "смайлика", "смайликом"),),
    "boat": (("f", "лодка", "лодки", "лодкой"), ("m", "кораблик", "кораблика", "корабликом")),
    "cat": (("m", "кот", "кота", "котом"), ("f", "кошка", "кошки", "кошкой")),
    "fish": (("f", "рыба", "рыбы", "рыбой"), ("f", "рыбка", "рыбки", "рыбкой")),
}
_RU_STEMS = {
    "red": "красн",
    "orange": "оранжев",
    "yellow": "жёлт",
    "green": "зелён",
    "blue": "син",
    "purple": "фиолетов",
    "pink": "розов",
    "black": "чёрн",
    "white": "бел",
    "cream": "кремов",
    "small": "маленьк",
    "large": "больш",
}
# (case, gender) -> ending; masculine and neuter share all but the nominative.
_RU_ENDINGS = {
    "hard": {
        "nom": {"m": "ый", "f": "ая", "n": "ое"},
        "gen": {"m": "ого", "f": "ой", "n": "ого"},
        "ins": {"m": "ым", "f": "ой", "n": "ым"},
        "pre": {"m": "ом", "f": "ой", "n": "ом"},
    },
    "soft": {
        "nom": {"m": "ий", "f": "яя", "n": "ее"},
        "gen": {"m": "его", "f": "ей", "n": "его"},
        "ins": {"m": "им", "f": "ей", "n": "им"},
        "pre": {"m": "ем", "f": "ей", "n": "ем"},
    },
    "small": {
        "nom": {"m": "ий", "f": "ая", "n": "ое"},
        "gen": {"m": "ого", "f": "ой", "n": "ого"},
        "ins": {"m": "им", "f": "ой", "n": "им"},
    },
    "large": {
        "nom": {"m": "ой", "f": "ая", "n": "ое"},
        "gen": {"m": "ого", "f": "ой", "n": "ого"},
        "ins": {"m": "им", "f": "ой", "n": "им"},
    },
}
_RU_PLACES = {
    "center": ("в центре", "посередине"),
    "left": ("слева",),
    "right": ("справа",),
    "top": ("вверху", "сверху"),
    "bottom": ("внизу", "снизу"),
    "top left": ("в левом верхнем углу", "слева вверху"),
    "top right": ("в правом верхнем углу", "справа вверху"),
    "bottom left": ("в левом нижнем углу", "слева внизу"),
    "bottom right": ("в правом нижнем углу", "справа внизу"),
}
_RU_RELATIONS = {"left": "слева от", "right": "справа от", "above": "над", "below": "под"}
_INVERSE = {"left": "right", "right": "left", "above": "below", "below": "above"}
_RU_OPENINGS = ("рисунок ", "картинка ", "изображение ", "фото ")  # then the genitive

# Words that people add and that say nothing about this world.
_EN_FILLERS = (
    "4k photo", "high quality", "masterpiece", "best quality", "highly detailed", "8k",
    "simple", "minimalist", "digital art", "trending on artstation", "flat design",
)  # fmt: skip
_RU_FILLERS = ("высокое качество", "подробно", "минимализм", "красиво", "4k", "шедевр")


def adjective(word: str, gender: str, case: str) -> str:
    """A Russian colour or size word in gender m, f, n and case nom, gen, ins, pre."""
    kind = word if word in {"small", "large"} else "soft" if word == "blue" else "hard"
    return _RU_STEMS[word] + _RU_ENDINGS[kind][case][gender]


def article(words: str) -> str:
    """An English noun phrase with its indefinite article."""
    return ("an " if words[0] in "aeiou" else "a ") + words


@dataclass(frozen=True)
class Claims:
    """What a caption says; None and open fields mean that it leaves that to the painter.

    things: noun, colour, size in the order of the caption. cell: place of a single thing.
    relation: of the first thing to the second.
    """

    things: tuple[tuple[str, str | None, str | None], ...]
    background: str | None = None
    cell: str | None = None
    relation: str | None = None


@dataclass(frozen=True)
class _Mention:
    """What a caption says about one thing."""

    color: bool
    size: bool

    def claim(self, thing: Thing) -> tuple[str, str | None, str | None]:
        color = thing.color if self.color else None
        return thing.noun, color, thing.size if self.size else None


def _mention(thing: Thing, rng: np.random.Generator) -> _Mention:
    color = rng.random() < (0.4 if (thing.noun, thing.color) in _USUAL else 0.95)
    return _Mention(color, thing.size != "medium" and rng.random() < 0.8)


# Things whose colour goes without saying.
_USUAL = {("tree", "green"), ("face", "yellow")}


def _english(thing: Thing, said: _Mention, rng: np.random.Generator, bare: bool = False) -> str:
    words = []
    if said.size:
        words.append(_pick(rng, _EN_SIZES[thing.size]))
    if said.color:
        words.append(thing.color)
    nouns = _EN_NOUNS.get(thing.noun, (thing.noun,))
    words.append(nouns[0] if rng.random() < 0.7 else _pick(rng, nouns))
    phrase = " ".join(words)
    return phrase if bare else article(phrase)


def _russian(thing: Thing, said: _Mention, rng: np.random.Generator, case: str = "nom") -> str:
    options = _RU_NOUNS[thing.noun]
    gender, *forms = options[int(rng.integers(len(options)))]
    words = []
    if said.size:
        words.append(adjective(thing.size, gender, case))
    if said.color:
        words.append(adjective(thing.color, gender, case))
    words.append(forms[("nom", "gen", "ins").index(case)])
    return " ".join(words)


def _says_background(scene: Scene, rng: np.random.Generator) -> bool:
    return rng.random() < (0.5 if scene.background == "white" else 0.9)


def _says_place(thing: Thing, rng: np.random.Generator) -> bool:
    return rng.random() < (0.15 if thing.cell == "center" else 0.9)


@dataclass(frozen=True)
class _Plan:
    """A caption before words: what to say of which thing, in which order."""

    things: tuple[tuple[Thing, _Mention], ...]
    cell: str | None
    relation: str | None  # None for a single thing and for a plain "A and B"
    background: str | None

    @property
    def claims(self) -> Claims:
        said = tuple(mention.claim(thing) for thing, mention in self.things)
        return Claims(said, self.background, self.cell, self.relation)


def _plan(scene: Scene, rng: np.random.Generator) -> _Plan:
    told = [(thing, _mention(thing, rng)) for thing in scene.things]
    cell = relation = None
    if scene.relation is None:
        first = scene.things[0]
        cell = first.cell if _says_place(first, rng) else None
    else:
        form = rng.random()
        if form < 0.4:
            # A plain "A and B" reads from left to right and from top to bottom.
            if scene.relation in {"right", "below"}:
                told.reverse()
        elif form < 0.7:
            relation = scene.relation
        else:
            told.reverse()
            relation = _INVERSE[scene.relation]
    background = scene.background if _says_background(scene, rng) else None
    return _Plan(tuple(told), cell, relation, background)


def _words_en(plan: _Plan, rng: np.random.Generator) -> str:
    bare = rng.random() < 0.25
    names = [_english(thing, said, rng, bare) for thing, said in plan.things]
    if plan.relation is not None:
        text = f" {_pick(rng, _EN_RELATIONS[plan.relation])} ".join(names)
    else:
        text = (" and " if rng.random() < 0.85 else _pick(rng, (", ", " next to "))).join(names)
    if plan.cell is not None:
        text += " " + _pick(rng, _EN_PLACES[plan.cell])
    if not bare and rng.random() < 0.15:
        text = _pick(rng, _EN_OPENINGS) + text
    if plan.background is not None:
        name, a_name = plan.background, article(plan.background)
        common = (f" on {a_name} background",) * 6
        rare = (f" on {name}", f", {name} background", f" with {a_name} background")
        text += _pick(rng, common + rare + (f" on {a_name} backdrop",))
    return text


def _words_ru(plan: _Plan, rng: np.random.Generator) -> str:
    single = len(plan.things) == 1
    opened = single and rng.random() < 0.15
    beside = not single and plan.relation is None and rng.random() < 0.15
    after = "nom"
    if plan.relation is not None:
        after = "ins" if plan.relation in {"above", "below"} else "gen"
    elif beside:
        after = "ins"
    cases = ("gen" if opened else "nom", after)
    names = [
        _russian(thing, said, rng, case)
        for (thing, said), case in zip(plan.things, cases, strict=False)
    ]
    joint = "рядом с" if beside else "и"
    if plan.relation is not None:
        joint = _RU_RELATIONS[plan.relation]
    text = f" {joint} ".join(names)
    if opened:
        text = _pick(rng, _RU_OPENINGS) + text
    if plan.cell is not None:
        text += " " + _pick(rng, _RU_PLACES[plan.cell])
    if plan.background is not None:
        if rng.random() < 0.85:
            text += f" на {adjective(plan.background, 'm', 'pre')} фоне"
        else:
            text += f", {adjective(plan.background, 'm', 'nom')} фон"
    return text


def _stranger(rng: np.random.Generator, language: str) -> str:
    """A word that means nothing here, so that real unknown words do no harm."""
    vowels, others = (
        ("aeiouy", "bcdfghjklmnpqrstvwxz")
        if language == "en"
        else ("аеиоуыяю", "бвгджзклмнпрстфхцчшщ")
    )
    letters = [
        str(rng.choice(list(others))) + str(rng.choice(list(vowels)))
        for _ in range(int(rng.integers(1, 5)))
    ]
    return "".join(letters) + (str(rng.choice(list(others))) if rng.random() < 0.5 else "")


def describe(scene: Scene, language: str, rng: np.random.Generator) -> tuple[str, Claims]:
    """A random true sentence about a scene and what it says. language: "en" or "ru"."""
    plan = _plan(scene, rng)
    text = _words_en(plan, rng) if language == "en" else _words_ru(plan, rng)
    if rng.random() < 0.1:
        text += ", " + _pick(rng, _EN_FILLERS if language == "en" else _RU_FILLERS)
    if rng.random() < 0.06:
        text += (", " if rng.random() < 0.5 else " ") + _stranger(rng, language)
    if language == "ru" and rng.random() < 0.4:
        text = text.replace("ё", "е")  # most people type it so
    if rng.random() < 0.25:
        text = text[0].upper() + text[1:]
    if rng.random() < 0.12:
        text += _pick(rng, (".", ".", "!"))
    return text, plan.claims


def caption(scene: Scene, language: str, rng: np.random.Generator) -> str:
    """`describe` without the claims."""
    return describe(scene, language, rng)[0]


def random_description(scene: Scene, rng: np.random.Generator) -> tuple[str, Claims]:
    """`describe` in a random language, six in ten in English."""
    return describe(scene, "en" if rng.random() < 0.6 else "ru", rng)


# --- truth and claims as numbers ----------------------------------------------------------------

# One column per question; -1 in claims leaves it open. "none" answers for a missing second thing.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "noun": NOUNS,
    "color": THING_COLORS,
    "size": SIZES,
    "second noun": (*NOUNS, "none"),
    "second color": (*THING_COLORS, "none"),
    "background": BACKGROUNDS,
    "cell": (*CELLS, "none"),
    "relation": ("left", "above", "none"),
}


def attributes(scene: Scene | Claims) -> np.ndarray:
    """Answers to ATTRIBUTES, int64 [8]. Pairs are put in order: left thing or upper thing first."""
    if isinstance(scene, Scene):
        things = [(t.noun, t.color, t.size) for t in scene.things]
        cell = scene.things[0].cell if scene.relation is None else "none"
        plain = "none"
    else:
        things, cell, plain = list(scene.things), scene.cell, None
    relation = scene.relation
    if relation in {"right", "below"}:
        things.reverse()
        relation = _INVERSE[relation]
    if len(things) == 1:
        second: tuple[str | None, ...] = ("none", "none")
        relation = "none"
    else:
        second = things[1][:2]
        cell = "none"
        relation = relation or plain
    answers = (*things[0], *second, scene.background, cell, relation)
    return np.array(
        [
            -1 if answer is None else options.index(answer)
            for answer, options in zip(answers, ATTRIBUTES.values(), strict=True)
        ]
    )


def satisfied(truths: np.ndarray, claims: np.ndarray) -> np.ndarray:
    """Which pictures a caption is true of: [N, 8] truths and [M, 8] claims to bool [N, M]."""
    return ((claims[None] == -1) | (claims[None] == truths[:, None])).all(-1)
