"""Plans to German, French, Spanish and Chinese: few templates, and no gradients."""

from __future__ import annotations

import numpy as np

from .plans import Mention, Plan
from .world import CELLS, pick

COMPOSITIONS = {
    "de": "eine Komposition im Stil von Kandinsky",
    "fr": "une composition dans le style de Kandinsky",
    "es": "una composición al estilo de Kandinsky",
    "zh": "康定斯基风格的构图",
}


def _cells(text: str) -> dict[str, str]:
    return dict(zip(CELLS, text.split("|"), strict=True))


# --- German -------------------------------------------------------------------------------------

_DE_NOUNS = {
    "circle": ("m", "Kreis"), "square": ("n", "Quadrat"), "triangle": ("n", "Dreieck"),
    "star": ("m", "Stern"), "hexagon": ("n", "Sechseck"), "heart": ("n", "Herz"),
    "cross": ("n", "Kreuz"), "ring": ("m", "Ring"),
}  # fmt: skip
_DE_WORDS = {
    "red": "rot", "orange": "orangefarben", "yellow": "gelb", "green": "grün", "blue": "blau",
    "purple": "violett", "pink": "rosafarben", "black": "schwarz", "white": "weiß",
    "cream": "cremefarben", "small": "klein", "large": "groß",
}  # fmt: skip
_DE_CELLS = _cells(
    "oben links|oben|oben rechts|links|in der Mitte|rechts|unten links|unten|unten rechts"
)
_DE_RELATIONS = {"left": "links von", "right": "rechts von", "above": "über", "below": "unter"}


def _german_name(said: Mention, dative: bool) -> str:
    gender, noun = _DE_NOUNS[said.thing.noun]
    ending = "en" if dative else {"m": "er", "n": "es"}[gender]
    words = ["einem" if dative else "ein"]
    words += [_DE_WORDS[said.thing.size] + ending] if said.size else []
    words += [_DE_WORDS[said.thing.color] + ending] if said.color else []
    return " ".join([*words, noun])


def _german(plan: Plan) -> str:
    names = [_german_name(said, i > 0 and plan.relation is not None)
             for i, said in enumerate(plan.things)]  # fmt: skip
    text = f" {_DE_RELATIONS.get(plan.relation or '', 'und')} ".join(names)
    text += f" {_DE_CELLS[plan.cell]}" if plan.cell else ""
    return text + (f" auf {_DE_WORDS[plan.ground[0]]}em Hintergrund" if plan.ground else "")


# --- French and Spanish -------------------------------------------------------------------------

_FR_NOUNS = {
    "circle": ("m", "cercle"), "square": ("m", "carré"), "triangle": ("m", "triangle"),
    "star": ("f", "étoile"), "hexagon": ("m", "hexagone"), "heart": ("m", "cœur"),
    "cross": ("f", "croix"), "ring": ("m", "anneau"),
}  # fmt: skip
# masculine, feminine
_FR_WORDS = {
    "red": ("rouge", "rouge"), "orange": ("orange", "orange"), "yellow": ("jaune", "jaune"),
    "green": ("vert", "verte"), "blue": ("bleu", "bleue"), "purple": ("violet", "violette"),
    "pink": ("rose", "rose"), "black": ("noir", "noire"), "white": ("blanc", "blanche"),
    "cream": ("crème", "crème"), "small": ("petit", "petite"), "large": ("grand", "grande"),
}  # fmt: skip
_FR_CELLS = _cells(
    "en haut à gauche|en haut|en haut à droite|à gauche|au centre|à droite"
    "|en bas à gauche|en bas|en bas à droite"
)
_FR_RELATIONS = {
    "left": "à gauche d'", "right": "à droite d'", "above": "au-dessus d'",
    "below": "au-dessous d'",
}  # fmt: skip
_ES_NOUNS = {
    "circle": ("m", "círculo"), "square": ("m", "cuadrado"), "triangle": ("m", "triángulo"),
    "star": ("f", "estrella"), "hexagon": ("m", "hexágono"), "heart": ("m", "corazón"),
    "cross": ("f", "cruz"), "ring": ("m", "anillo"),
}  # fmt: skip
_ES_WORDS = {
    "red": ("rojo", "roja"), "orange": ("naranja", "naranja"), "yellow": ("amarillo", "amarilla"),
    "green": ("verde", "verde"), "blue": ("azul", "azul"), "purple": ("morado", "morada"),
    "pink": ("rosa", "rosa"), "black": ("negro", "negra"), "white": ("blanco", "blanca"),
    "cream": ("crema", "crema"), "small": ("pequeño", "pequeña"), "large": ("grande", "grande"),
}  # fmt: skip
_ES_CELLS = _cells(
    "arriba a la izquierda|arriba|arriba a la derecha|a la izquierda|en el centro|a la derecha"
    "|abajo a la izquierda|abajo|abajo a la derecha"
)
_ES_RELATIONS = {
    "left": "a la izquierda de ", "right": "a la derecha de ", "above": "encima de ",
    "below": "debajo de ",
}  # fmt: skip


def _french_name(said: Mention) -> str:
    gender, noun = _FR_NOUNS[said.thing.noun]
    at = "mf".index(gender)
    words = [("un", "une")[at]]
    words += [_FR_WORDS[said.thing.size][at]] if said.size else []
    words += [noun]
    words += [_FR_WORDS[said.thing.color][at]] if said.color else []
    return " ".join(words)


def _spanish_name(said: Mention) -> str:
    gender, noun = _ES_NOUNS[said.thing.noun]
    at = "mf".index(gender)
    words = [("un", "una")[at], noun]
    words += [_ES_WORDS[said.thing.color][at]] if said.color else []
    words += [_ES_WORDS[said.thing.size][at]] if said.size else []
    return " ".join(words)


def _french(plan: Plan) -> str:
    joint = f" {_FR_RELATIONS[plan.relation]}" if plan.relation else " et "
    text = joint.join(_french_name(said) for said in plan.things)
    text += f" {_FR_CELLS[plan.cell]}" if plan.cell else ""
    return text + (f" sur fond {_FR_WORDS[plan.ground[0]][0]}" if plan.ground else "")


def _spanish(plan: Plan) -> str:
    joint = f" {_ES_RELATIONS[plan.relation]}" if plan.relation else " y "
    text = joint.join(_spanish_name(said) for said in plan.things)
    text += f" {_ES_CELLS[plan.cell]}" if plan.cell else ""
    return text + (f" sobre fondo {_ES_WORDS[plan.ground[0]][0]}" if plan.ground else "")


# --- Chinese ------------------------------------------------------------------------------------

_ZH_NOUNS = {
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星形",
    "hexagon": "六边形", "heart": "心形", "cross": "十字", "ring": "圆环",
}  # fmt: skip
_ZH_WORDS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "blue": "蓝色",
    "purple": "紫色", "pink": "粉色", "black": "黑色", "white": "白色", "cream": "米色",
    "small": "小", "large": "大",
}  # fmt: skip
_ZH_CELLS = _cells("左上角|上方|右上角|左边|中间|右边|左下角|下方|右下角")
_ZH_RELATIONS = {"left": "左边", "right": "右边", "above": "上方", "below": "下方"}


def _chinese_name(said: Mention) -> str:
    text = _ZH_WORDS[said.thing.color] + "的" if said.color else ""
    return text + (_ZH_WORDS[said.thing.size] if said.size else "") + _ZH_NOUNS[said.thing.noun]


def _chinese(plan: Plan) -> str:
    names = [_chinese_name(said) for said in plan.things]
    if plan.relation:
        text = f"{names[0]}在{names[1]}的{_ZH_RELATIONS[plan.relation]}"
    else:
        text = "和".join(names)
    text += f"，在{_ZH_CELLS[plan.cell]}" if plan.cell else ""
    return text + (f"，{_ZH_WORDS[plan.ground[0]]}背景" if plan.ground else "")


_LANGUAGES = {"de": _german, "fr": _french, "es": _spanish, "zh": _chinese}


def words(plan: Plan, language: str, _rng: np.random.Generator) -> str:
    """language: "de", "fr", "es" or "zh"."""
    if not plan.things:
        return COMPOSITIONS[language]
    return _LANGUAGES[language](plan)


def random_language(rng: np.random.Generator) -> str:
    return pick(rng, tuple(_LANGUAGES))
