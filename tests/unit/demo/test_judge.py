"""The judge: what it reads, and how often it is right about drawings."""

from __future__ import annotations

import numpy as np
import pytest

judge = pytest.importorskip("judge")
scenes = pytest.importorskip("scenes")

Claims, Scene, Thing = scenes.Claims, scenes.Scene, scenes.Thing


def one(noun: str = "circle", color: str = "red", **kwargs) -> scenes.Scene:
    values = {"size": "medium", "x": 0.5, "y": 0.5, "radius": 0.25} | kwargs
    return Scene(("white", "white"), (Thing(noun, color, **values),))


@pytest.mark.parametrize("noun", scenes.SHAPES)
@pytest.mark.parametrize("side", [64, 128])
def test_every_shape_can_be_told_from_the_others(noun: str, side: int) -> None:
    for angle in (0, 7) if noun not in {"circle", "ring"} else (0,):
        seen = judge.look(scenes.draw(one(noun, "blue", radius=0.14, angle=angle), side, side))
        assert seen.ground == ("white", "white")
        assert [(thing.noun, thing.color) for thing in seen.things] == [(noun, "blue")]


def test_a_gradient_is_read_at_both_ends() -> None:
    heart = Thing("heart", "white", "large", 0.5, 0.5, 0.35)
    seen = judge.look(scenes.draw(Scene(("blue", "black"), (heart,))))
    assert seen.ground == ("blue", "black")
    assert [thing.noun for thing in seen.things] == ["heart"]


def test_things_that_touch_are_told_apart_by_color() -> None:
    things = (
        Thing("square", "red", "medium", 0.33, 0.5, 0.2),
        Thing("circle", "blue", "medium", 0.68, 0.5, 0.2),
    )
    seen = judge.look(scenes.draw(Scene(("white", "white"), things, "left")))
    assert {(thing.noun, thing.color) for thing in seen.things} == {
        ("square", "red"),
        ("circle", "blue"),
    }


def test_components_join_what_touches_in_eight_directions() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:5, 2:5] = mask[5:8, 5:8] = True
    mask[12:14, 2:10] = True
    mask[19, 19] = True  # a speck
    assert [int(part.sum()) for part in judge.components(mask & (np.arange(20) < 19))] == [18, 16]


@pytest.mark.parametrize(("width", "height"), [(128, 128), (64, 64), (192, 128), (256, 256)])
def test_judge_reads_drawings_back(width: int, height: int) -> None:
    rng = np.random.default_rng(6)
    wrong = []
    for _ in range(40 if width < 256 else 12):
        scene = scenes.random_pair(rng) if rng.random() < 0.5 else scenes.random_single(rng)
        claims = scenes.random_description(scene, rng)[1]
        if not all(judge.verdict(scenes.draw(scene, width, height, rng), claims).values()):
            wrong.append((scene, claims))
    assert not wrong


@pytest.mark.parametrize(
    ("claims", "point"),
    [
        (Claims((("square", "red", None),)), "shape"),
        (Claims((("circle", "blue", None),)), "color"),
        (Claims((("circle", "red", "large"),)), "size"),
        (Claims((("circle", "red", None),), ("black", "black")), "ground"),
        (Claims((("circle", "red", None),), ("white", "black")), "ground"),
        (Claims((("circle", "red", None),), None, "top left"), "position"),
        (Claims((("circle", "red", None), ("star", "blue", None))), "count"),
    ],
)
def test_judge_sees_what_is_wrong(claims: Claims, point: str) -> None:
    assert not judge.verdict(scenes.draw(one()), claims)[point]


@pytest.mark.parametrize(("relation", "true"), [("left", True), ("right", False), ("above", False)])
def test_judge_sees_relations(relation: str, true: bool) -> None:
    things = (
        Thing("circle", "red", "medium", 0.25, 0.5, 0.18),
        Thing("star", "blue", "medium", 0.75, 0.5, 0.18),
    )
    pixels = scenes.draw(Scene(("white", "white"), things, "left"))
    claims = Claims((("circle", "red", None), ("star", "blue", None)), relation=relation)
    assert judge.verdict(pixels, claims)["relation"] is true


def test_a_relation_counts_only_with_the_right_things() -> None:
    things = (
        Thing("circle", "red", "medium", 0.25, 0.5, 0.18),
        Thing("star", "blue", "medium", 0.75, 0.5, 0.18),
    )
    pixels = scenes.draw(Scene(("white", "white"), things, "left"))
    claims = Claims((("circle", "red", None), ("heart", "blue", None)), relation="left")
    assert not judge.verdict(pixels, claims)["relation"]
