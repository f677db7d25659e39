"""Captions: true, and in the right grammatical forms."""

from __future__ import annotations

import re

import numpy as np
import pytest

scenes = pytest.importorskip("scenes")
russian = pytest.importorskip("scenes.russian")

Scene, Thing = scenes.Scene, scenes.Thing
LEFT = Thing("circle", "red", "medium", 0.25, 0.5, 0.18)
RIGHT = Thing("star", "blue", "medium", 0.75, 0.5, 0.18)
PAIR = Scene(("white", "white"), (LEFT, RIGHT), "left")
SMALL = Scene(("green", "green"), (Thing("heart", "white", "small", 0.5, 0.2, 0.14),))
FADING = Scene(("blue", "cream"), (Thing("heart", "white", "large", 0.5, 0.5, 0.35),))


def told(scene: Scene, language: str, count: int = 400) -> set[str]:
    rng = np.random.default_rng(4)
    return {scenes.describe(scene, language, rng)[0] for _ in range(count)}


def test_english_article() -> None:
    assert scenes.article("orange ring") == "an orange ring"
    assert scenes.article("red ring") == "a red ring"


@pytest.mark.parametrize(
    ("color", "gender", "case", "expected"),
    [
        ("red", "m", "nom", "красный"),
        ("red", "f", "nom", "красная"),
        ("red", "n", "nom", "красное"),
        ("blue", "m", "nom", "синий"),
        ("blue", "f", "nom", "синяя"),
        ("blue", "n", "gen", "синего"),
        ("blue", "m", "pre", "синем"),
        ("green", "f", "ins", "зелёной"),
        ("small", "n", "nom", "маленькое"),
        ("small", "m", "gen", "маленького"),
        ("large", "m", "nom", "большой"),
        ("large", "n", "ins", "большим"),
    ],
)
def test_russian_adjectives(color: str, gender: str, case: str, expected: str) -> None:
    assert scenes.adjective(color, gender, case) == expected


def test_captions_never_name_a_wrong_color() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        scene = scenes.random_scene(rng)
        if scene.kind == "composition":
            continue
        true = {*scene.ground, *(thing.color for thing in scene.things)}
        english = scenes.describe(scene, "en", rng)[0].lower()
        assert set(re.findall(r"\w+", english)) & set(scenes.COLORS) <= true
        text = scenes.describe(scene, "ru", rng)[0].lower().replace("ё", "е")
        stems = {name: russian.STEMS[name].replace("ё", "е") for name in scenes.COLORS}
        named = {n for n, stem in stems.items() if re.search(rf"\b{stem}[а-я]{{2,3}}\b", text)}
        assert named <= true


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ("a red circle to the left of a blue star",
                "a blue star to the right of a red circle")),
        ("ru", ("красный круг слева от синей звезды", "синяя звезда справа от красного круга",
                "красный круг рядом с синей звездой", "круг красного цвета")),
        ("de", ("ein roter Kreis links von einem blauen Stern",)),
        ("fr", ("un cercle rouge à gauche d'une étoile bleue",)),
        ("es", ("una estrella azul a la derecha de un círculo rojo",)),
        ("zh", ("红色的圆形在蓝色的星形的左边",)),
    ],
)  # fmt: skip
def test_relations_take_the_right_forms(language: str, expected: tuple[str, ...]) -> None:
    texts = told(PAIR, language)
    for words in expected:
        assert any(words in text for text in texts), words


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "a small white heart at the top on a green background"),
        ("ru", "маленькое белое сердце вверху на зелёном фоне"),
        ("de", "ein kleines weißes Herz oben auf grünem Hintergrund"),
        ("fr", "un petit cœur blanc en haut sur fond vert"),
        ("es", "un corazón blanco pequeño arriba sobre fondo verde"),
        ("zh", "白色的小心形，在上方，绿色背景"),
    ],
)
def test_size_place_and_ground_are_said(language: str, expected: str) -> None:
    assert any(expected in text for text in told(SMALL, language, 1500))


def test_gradients_are_said_from_top_to_bottom() -> None:
    assert any("a background from blue to cream" in text for text in told(FADING, "en"))
    assert any("на фоне от синего к кремовому" in text for text in told(FADING, "ru"))
    for language in ("de", "fr", "es", "zh"):
        rng = np.random.default_rng(1)
        assert all(scenes.describe(FADING, language, rng)[1].ground is None for _ in range(50))


def test_compositions_are_kandinskys() -> None:
    composition = scenes.random_composition(np.random.default_rng(1))
    assert any(
        "a composition in the style of Kandinsky" in text for text in told(composition, "en")
    )
    assert any("композиция в стиле Кандинского" in text for text in told(composition, "ru"))


def test_a_plain_and_reads_from_left_to_right() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        text, claims = scenes.describe(PAIR, "en", rng)
        if claims.relation is None:
            assert text.lower().index("circle") < text.lower().index("star")


def test_languages_are_drawn_as_announced() -> None:
    rng = np.random.default_rng(8)
    texts = [scenes.random_description(PAIR, rng)[0] for _ in range(600)]
    cyrillic = sum(bool(re.search("[а-яё]", text.lower())) for text in texts)
    chinese = sum(bool(re.search("[一-鿿]", text)) for text in texts)
    assert 0.28 < cyrillic / 600 < 0.42
    assert 0.01 < chinese / 600 < 0.06
