"""Plans to English."""

from __future__ import annotations

import numpy as np

from .plans import Mention, Plan
from .world import pick

_NOUNS = {"cross": ("cross", "plus sign"), "ring": ("ring", "ring")}
_SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
_PLACES = {
    "center": ("in the center", "in the middle", "in the centre"),
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "top": ("at the top", "at the top of the picture"),
    "bottom": ("at the bottom", "at the bottom of the picture"),
    "top left": ("in the top left corner", "at the top left"),
    "top right": ("in the top right corner", "at the top right"),
    "bottom left": ("in the bottom left corner", "at the bottom left"),
    "bottom right": ("in the bottom right corner", "at the bottom right"),
}
_RELATIONS = {
    "left": ("to the left of", "left of"),
    "right": ("to the right of", "right of"),
    "above": ("above", "above", "over"),
    "below": ("below", "below", "under"),
}
_OPENINGS = ("a picture of ", "a drawing of ", "an image of ", "a painting of ", "a photo of ")
_GROUNDS = (*(" on {a} background",) * 6, " on {c}", ", {c} background", " with {a} background",
            " against {a} backdrop")  # fmt: skip
_GRADIENTS = (
    " on a background from {0} to {1}", " on a {0} to {1} gradient",
    " on a gradient from {0} to {1}", ", {0} to {1} gradient background",
    " on a {0} to {1} gradient background",
)  # fmt: skip
_COMPOSITIONS = (
    "a composition in the style of Kandinsky", "a composition in the style of Kandinsky",
    "a composition by Kandinsky", "an abstract composition", "a Kandinsky painting",
    "an abstract painting by Kandinsky", "a painting in the style of Kandinsky",
    "an abstract composition of lines, circles and triangles", "abstract art, Kandinsky style",
)  # fmt: skip
FILLERS = (
    "4k photo", "high quality", "masterpiece", "best quality", "highly detailed", "8k",
    "simple", "minimalist", "digital art", "trending on artstation", "flat design",
)  # fmt: skip


def article(words: str) -> str:
    """An English noun phrase with its indefinite article."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def _name(said: Mention, rng: np.random.Generator, bare: bool) -> str:
    thing = said.thing
    noun = thing.noun
    if noun in _NOUNS and rng.random() < 0.3:
        noun = _NOUNS[noun][1]
    words = [pick(rng, _SIZES[thing.size])] if said.size else []
    words += [thing.color] if said.color else []
    phrase = " ".join([*words, noun])
    return phrase if bare else article(phrase)


def _ground(ground: tuple[str, str], rng: np.random.Generator) -> str:
    if ground[0] != ground[1]:
        return pick(rng, _GRADIENTS).format(*ground)
    return pick(rng, _GROUNDS).format(a=article(ground[0]), c=ground[0])


def words(plan: Plan, rng: np.random.Generator) -> str:
    ground = "" if plan.ground is None else _ground(plan.ground, rng)
    if not plan.things:
        return pick(rng, _COMPOSITIONS) + ground
    bare = rng.random() < 0.25
    names = [_name(said, rng, bare) for said in plan.things]
    joint = "and" if rng.random() < 0.85 else pick(rng, ("next to", "with"))
    if plan.relation is not None:
        joint = pick(rng, _RELATIONS[plan.relation])
    text = f" {joint} ".join(names)
    if plan.cell is not None:
        text += " " + pick(rng, _PLACES[plan.cell])
    if not bare and rng.random() < 0.15:
        text = pick(rng, _OPENINGS) + text
    if ground.startswith(" on") and rng.random() < 0.1:
        return f"{ground.strip()}, {text}"
    return text + ground
