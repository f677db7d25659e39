"""Scenes, drawing, captions and the judge that reads pictures back."""

from __future__ import annotations

import re

import numpy as np
import pytest

judge = pytest.importorskip("judge")
scenes = pytest.importorskip("scenes")

Claims, Scene, Thing = scenes.Claims, scenes.Scene, scenes.Thing


def one(noun: str = "circle", color: str = "red", background: str = "white", **kwargs) -> Scene:
    values = {"size": "medium", "x": 0.5, "y": 0.5, "radius": 0.25} | kwargs
    return Scene(background, (Thing(noun, color, **values),))


def test_same_seed_gives_same_scene_picture_and_caption() -> None:
    made = []
    for _ in range(2):
        rng = np.random.default_rng(7)
        scene = scenes.random_scene(rng)
        made.append(
            (scene, scenes.draw(scene, rng=rng).tobytes(), scenes.caption(scene, "ru", rng))
        )
    assert made[0] == made[1]


def test_drawing_has_the_palette_inside_and_outside() -> None:
    pixels = scenes.draw(one())
    assert pixels.shape == (128, 128, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[64, 64]) == scenes.COLORS["red"]
    assert tuple(pixels[2, 2]) == scenes.COLORS["white"]


def test_drawing_is_anti_aliased_and_covers_the_right_area() -> None:
    pixels = scenes.draw(one(color="black")).astype(float)
    black, white = scenes.COLORS["black"][0], scenes.COLORS["white"][0]
    cover = (white - pixels[..., 0]) / (white - black)
    assert cover.sum() == pytest.approx(np.pi * 32**2, rel=0.02)
    between = (cover > 0.1) & (cover < 0.9)
    assert 50 < between.sum() < 400


@pytest.mark.parametrize(("width", "height"), [(64, 64), (192, 128), (128, 192)])
def test_a_scene_keeps_its_layout_at_any_size(width: int, height: int) -> None:
    pixels = scenes.draw(one(x=0.3, y=0.7, radius=0.15), width, height)
    assert pixels.shape == (height, width, 3)
    red = np.argwhere(np.abs(pixels - np.array(scenes.COLORS["red"])).sum(-1) < 9)
    y, x = red.mean(0)
    assert (x + 0.5) / width == pytest.approx(0.3, abs=0.01)
    assert (y + 0.5) / height == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("noun", scenes.NOUNS)
def test_every_thing_can_be_drawn_and_told_from_the_others(noun: str) -> None:
    background, found = judge.look(scenes.draw(one(noun, "blue", "white")))
    assert background == "white"
    assert [(seen.noun, seen.color) for seen in found] == [(noun, "blue")]


def test_random_scenes_have_no_clashing_colors_and_stay_inside() -> None:
    rng = np.random.default_rng(1)
    kinds = set()
    for _ in range(500):
        scene = scenes.random_scene(rng)
        kinds.add(len(scene.things))
        for thing in scene.things:
            assert scenes.distinct(thing.color, scene.background)
            assert 0.1 < thing.x < 0.9
            assert 0.1 < thing.y < 0.9
    assert kinds == {1, 2}


def test_relation_is_true_of_the_places() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        scene = scenes.random_pair(rng)
        first, second = scene.things
        across, down = first.x - second.x, first.y - second.y
        value = {"left": -across, "right": across, "above": -down, "below": down}[scene.relation]
        assert value > 0.3


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
        true = {scene.background, *(thing.color for thing in scene.things)}
        english = set(re.findall(r"\w+", scenes.caption(scene, "en", rng).lower()))
        assert english & set(scenes.COLORS) <= true
        russian = scenes.caption(scene, "ru", rng).lower().replace("ё", "е")
        stems = {name: scenes._RU_STEMS[name].replace("ё", "е") for name in scenes.COLORS}
        named = {n for n, stem in stems.items() if re.search(rf"\b{stem}[а-я]{{2,3}}\b", russian)}
        assert named <= true


def test_russian_relation_takes_the_right_case() -> None:
    left = Thing("circle", "red", "medium", 0.25, 0.5, 0.18)
    right = Thing("star", "blue", "medium", 0.75, 0.5, 0.18)
    rng = np.random.default_rng(4)
    told = {scenes.caption(Scene("white", (left, right), "left"), "ru", rng) for _ in range(400)}
    assert any("красный круг слева от синей звезды" in text for text in told)
    assert any("синяя звезда справа от красного круга" in text for text in told)
    assert any("красный круг рядом с синей звездой" in text for text in told)


def test_claims_are_true_of_their_own_scene_and_seldom_of_others() -> None:
    rng = np.random.default_rng(5)
    made = [scenes.random_scene(rng) for _ in range(200)]
    truths = np.stack([scenes.attributes(scene) for scene in made])
    claims = np.stack([scenes.attributes(scenes.random_description(s, rng)[1]) for s in made])
    true = scenes.satisfied(truths, claims)
    assert true.diagonal().all()
    assert true.mean() < 0.03


def test_attributes_order_a_pair_from_left_to_right() -> None:
    left = Thing("circle", "red", "medium", 0.25, 0.5, 0.18)
    right = Thing("star", "blue", "medium", 0.75, 0.5, 0.18)
    one_way = scenes.attributes(Scene("white", (left, right), "left"))
    other_way = scenes.attributes(Scene("white", (right, left), "right"))
    assert np.array_equal(one_way, other_way)
    said = Claims((("star", "blue", None), ("circle", None, None)), relation="right")
    assert scenes.satisfied(one_way[None], scenes.attributes(said)[None]).all()


def test_judge_reads_drawings_back() -> None:
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(60):
        scene = scenes.random_scene(rng)
        claims = scenes.random_description(scene, rng)[1]
        wrong += not all(judge.verdict(scenes.draw(scene, rng=rng), claims).values())
    assert wrong <= 2


@pytest.mark.parametrize(
    ("claims", "point"),
    [
        (Claims((("square", "red", None),)), "noun"),
        (Claims((("circle", "blue", None),)), "color"),
        (Claims((("circle", "red", "large"),)), "size"),
        (Claims((("circle", "red", None),), "black"), "background"),
        (Claims((("circle", "red", None),), None, "top left"), "place"),
        (Claims((("circle", "red", None), ("star", "blue", None))), "count"),
    ],
)
def test_judge_sees_what_is_wrong(claims: Claims, point: str) -> None:
    assert not judge.verdict(scenes.draw(one()), claims)[point]
