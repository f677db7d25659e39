"""Random true sentences about a scene, in six languages, and what they say."""

from __future__ import annotations

import dataclasses

import numpy as np

from . import english, languages, russian
from .plans import Plan, random_plan
from .truth import Claims
from .world import Scene, pick

LANGUAGES = ("en", "ru", "de", "fr", "es", "zh")
_SHARES = (0.5, 0.35, 0.04, 0.04, 0.04, 0.03)
_LETTERS = {
    "en": ("aeiouy", "bcdfghjklmnpqrstvwxz"),
    "ru": ("аеиоуыяю", "бвгджзклмнпрстфхцчшщ"),
}


def _stranger(rng: np.random.Generator, language: str) -> str:
    """A word that means nothing here, so that real unknown words do no harm."""
    vowels, others = _LETTERS[language]
    letters = [
        str(rng.choice(list(others))) + str(rng.choice(list(vowels)))
        for _ in range(int(rng.integers(1, 5)))
    ]
    return "".join(letters) + (str(rng.choice(list(others))) if rng.random() < 0.5 else "")


def say(plan: Plan, language: str, rng: np.random.Generator) -> str:
    """A plan in words, without anything that says nothing."""
    if language == "en":
        return english.words(plan, rng)
    if language == "ru":
        return russian.words(plan, rng)
    return languages.words(plan, language, rng)


def describe(scene: Scene, language: str, rng: np.random.Generator) -> tuple[str, Claims]:
    """A random true sentence about a scene, as people may type it, and what it says."""
    plan = random_plan(scene, rng, gradients=language in _LETTERS)
    if language not in _LETTERS and not plan.things:
        plan = dataclasses.replace(plan, ground=None)
    text = say(plan, language, rng)
    if language in _LETTERS:
        if rng.random() < 0.1:
            text += ", " + pick(rng, (english if language == "en" else russian).FILLERS)
        if rng.random() < 0.06:
            text += (", " if rng.random() < 0.5 else " ") + _stranger(rng, language)
    if language == "ru" and rng.random() < 0.4:
        text = text.replace("ё", "е")  # most people type it so
    if rng.random() < 0.25:
        text = text[0].upper() + text[1:]
    if rng.random() < 0.12:
        text += pick(rng, (".", ".", "!"))
    return text, plan.claims


def random_description(scene: Scene, rng: np.random.Generator) -> tuple[str, Claims]:
    """`describe` in a random language: half English, a third Russian, then the four others."""
    return describe(scene, LANGUAGES[int(rng.choice(len(LANGUAGES), p=_SHARES))], rng)
