"""Plans to Russian, with all the cases and genders that they need."""

from __future__ import annotations

import numpy as np

from .plans import Mention, Plan
from .world import pick

# gender, then nominative, genitive and instrumental
_NOUNS: dict[str, tuple[str, str, str, str]] = {
    "circle": ("m", "круг", "круга", "кругом"),
    "square": ("m", "квадрат", "квадрата", "квадратом"),
    "triangle": ("m", "треугольник", "треугольника", "треугольником"),
    "star": ("f", "звезда", "звезды", "звездой"),
    "hexagon": ("m", "шестиугольник", "шестиугольника", "шестиугольником"),
    "heart": ("n", "сердце", "сердца", "сердцем"),
    "cross": ("m", "крест", "креста", "крестом"),
    "ring": ("n", "кольцо", "кольца", "кольцом"),
}
STEMS = {
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
# kind -> case -> gender -> ending
_ENDINGS = {
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
_PLACES = {
    "center": ("в центре", "посередине"),
    "left": ("слева", "в левой части"),
    "right": ("справа", "в правой части"),
    "top": ("вверху", "сверху"),
    "bottom": ("внизу", "снизу"),
    "top left": ("в левом верхнем углу", "слева вверху"),
    "top right": ("в правом верхнем углу", "справа вверху"),
    "bottom left": ("в левом нижнем углу", "слева внизу"),
    "bottom right": ("в правом нижнем углу", "справа внизу"),
}
_RELATIONS = {"left": "слева от", "right": "справа от", "above": "над", "below": "под"}
_OPENINGS = ("рисунок ", "картинка ", "изображение ", "фото ")  # then the genitive
_COMPOSITIONS = (
    "композиция в стиле Кандинского", "композиция в стиле Кандинского", "композиция Кандинского",
    "абстрактная композиция", "картина Кандинского", "картина в стиле Кандинского",
    "абстрактная композиция из линий, кругов и треугольников", "абстракция в стиле Кандинского",
)  # fmt: skip
FILLERS = ("высокое качество", "подробно", "минимализм", "красиво", "4k", "шедевр")


def adjective(word: str, gender: str, case: str) -> str:
    """A Russian colour or size word in gender m, f, n and case nom, gen, ins, pre."""
    kind = word if word in {"small", "large"} else "soft" if word == "blue" else "hard"
    return STEMS[word] + _ENDINGS[kind][case][gender]


def _name(said: Mention, rng: np.random.Generator, case: str) -> str:
    thing = said.thing
    gender, *forms = _NOUNS[thing.noun]
    noun = forms[("nom", "gen", "ins").index(case)]
    words = [adjective(thing.size, gender, case)] if said.size else []
    if said.color and rng.random() < 0.06:
        return " ".join([*words, noun, adjective(thing.color, "m", "gen"), "цвета"])
    words += [adjective(thing.color, gender, case)] if said.color else []
    return " ".join([*words, noun])


def _ground(ground: tuple[str, str], rng: np.random.Generator) -> str:
    first, second = ground
    if first != second:
        first, second = (adjective(name, "m", "gen") for name in ground)
        forms = (
            f" на фоне от {first} к {adjective_dative(ground[1])}",
            f" на градиенте от {first} к {adjective_dative(ground[1])}",
            f" на фоне с переходом от {first} к {adjective_dative(ground[1])}",
        )
        return pick(rng, forms)
    if rng.random() < 0.85:
        return f" на {adjective(first, 'm', 'pre')} фоне"
    return f", {adjective(first, 'm', 'nom')} фон"


def adjective_dative(color: str) -> str:
    """A colour word in the masculine dative, which only gradients need."""
    return STEMS[color] + ("ему" if color == "blue" else "ому")


def words(plan: Plan, rng: np.random.Generator) -> str:
    ground = "" if plan.ground is None else _ground(plan.ground, rng)
    if not plan.things:
        return pick(rng, _COMPOSITIONS) + ground
    single = len(plan.things) == 1
    opened = single and rng.random() < 0.15
    beside = not single and plan.relation is None and rng.random() < 0.15
    after, joint = "nom", "и"
    if plan.relation is not None:
        after = "ins" if plan.relation in {"above", "below"} else "gen"
        joint = _RELATIONS[plan.relation]
    elif beside:
        after, joint = "ins", "рядом с"
    cases = ("gen" if opened else "nom", after)
    names = [_name(said, rng, case) for said, case in zip(plan.things, cases, strict=False)]
    text = f" {joint} ".join(names)
    if opened:
        text = pick(rng, _OPENINGS) + text
    if plan.cell is not None:
        text += " " + pick(rng, _PLACES[plan.cell])
    if ground.startswith(" на") and rng.random() < 0.12:
        return f"{ground.strip()} {text}"
    return text + ground
