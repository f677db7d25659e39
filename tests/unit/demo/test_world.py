"""Random scenes, what is held out of them, and truth as numbers."""

from __future__ import annotations

import collections
import functools
import itertools

import numpy as np
import pytest

scenes = pytest.importorskip("scenes")

Claims, Scene, Thing = scenes.Claims, scenes.Scene, scenes.Thing
WHITE = ("white", "white")


def pair(relation: str = "left") -> scenes.Scene:
    """A red circle left of a blue star, told as such or the other way round."""
    circle = Thing("circle", "red", "medium", 0.25, 0.5, 0.18)
    star = Thing("star", "blue", "medium", 0.75, 0.5, 0.18)
    return Scene(WHITE, (circle, star) if relation == "left" else (star, circle), relation)


def test_same_seed_gives_same_scenes() -> None:
    first, second = (
        [scenes.random_scene(rng) for _ in range(20)]
        for rng in (np.random.default_rng(7), np.random.default_rng(7))
    )
    assert first == second


def test_random_scenes_stand_out_and_stay_inside() -> None:
    rng = np.random.default_rng(1)
    kinds = set()
    gradients = 0
    for _ in range(600):
        scene = scenes.random_scene(rng)
        kinds.add(scene.kind)
        gradients += scene.ground[0] != scene.ground[1]
        for thing in scene.things:
            assert all(scenes.distinct(thing.color, end) for end in scene.ground)
            assert 0.1 < thing.x < 0.9
            assert 0.1 < thing.y < 0.9
    assert kinds == {"single", "pair", "composition"}
    assert 30 < gradients < 120


def test_training_never_draws_what_is_held_out() -> None:
    rng = np.random.default_rng(2)
    for _ in range(1200):
        scene = scenes.random_scene(rng, (0.5, 0.5, 0))
        if scene.kind == "single":
            thing = scene.things[0]
            assert not scenes.single_held_out(thing.noun, thing.color, scene.ground)
        else:
            first, second = ((thing.noun, thing.color) for thing in scene.things)
            assert not scenes.pair_held_out(first, second)


def test_held_out_combinations_are_a_fixed_eighth_of_some_grounds_and_hold_every_word() -> None:
    grounds = list(itertools.product(scenes.GROUND_COLORS, ("red", "white")))
    every = list(itertools.product(scenes.SHAPES, scenes.THING_COLORS, grounds))
    kept = [combination for combination in every if scenes.single_held_out(*combination)]
    assert len(kept) / len(every) == pytest.approx(1 / 8, abs=0.01)
    for column, words in enumerate((scenes.SHAPES, scenes.THING_COLORS, grounds)):
        assert {combination[column] for combination in kept} == set(words)
    # A rule that changes would make old training runs see what is now asked.
    assert scenes.single_held_out("circle", "red", WHITE)
    assert not scenes.single_held_out("circle", "red", ("blue", "blue"))
    assert not scenes.single_held_out("square", "red", WHITE)


@pytest.mark.parametrize("ground", ["red", "white"])
def test_on_held_out_grounds_every_color_has_one_shape(ground: str) -> None:
    kept = [
        (noun, color)
        for noun, color in itertools.product(scenes.SHAPES, scenes.THING_COLORS)
        if scenes.single_held_out(noun, color, (ground, ground))
    ]
    assert {color for _, color in kept} == set(scenes.THING_COLORS)
    assert {noun for noun, _ in kept} == set(scenes.SHAPES)
    assert len(kept) == len(scenes.THING_COLORS)


def test_training_draws_any_two_of_shape_color_and_ground_often() -> None:
    rng = np.random.default_rng(6)
    drawn: collections.Counter[tuple[str, ...]] = collections.Counter()
    for _ in range(4700):
        scene = scenes.random_scene(rng, (1, 0, 0))
        if scene.ground[0] == scene.ground[1]:
            thing, ground = scene.things[0], scene.ground[0]
            drawn[thing.noun, thing.color] += 1
            drawn["noun on", thing.noun, ground] += 1
            drawn["color on", thing.color, ground] += 1
    for noun, color in itertools.product(scenes.SHAPES, scenes.THING_COLORS):
        assert drawn[noun, color] > 10
    for noun, ground in itertools.product(scenes.SHAPES, scenes.GROUND_COLORS):
        assert drawn["noun on", noun, ground] > 10
    for color, ground in itertools.product(scenes.THING_COLORS, scenes.GROUND_COLORS):
        assert (drawn["color on", color, ground] > 10) == scenes.distinct(color, ground)


def test_a_pair_held_out_leaves_both_its_things_to_other_pairs() -> None:
    things = list(itertools.product(scenes.SHAPES, scenes.THING_COLORS))
    for first in things:
        shares = [scenes.pair_held_out(first, second) for second in things]
        assert 0.05 < np.mean(shares) < 0.2


def test_a_pair_is_held_out_whichever_comes_first() -> None:
    things = list(itertools.product(scenes.SHAPES, scenes.THING_COLORS))
    kept = 0
    for first, second in itertools.combinations(things, 2):
        held = scenes.pair_held_out(first, second)
        assert held == scenes.pair_held_out(second, first)
        kept += held
    assert kept / (72 * 71 / 2) == pytest.approx(1 / 8, abs=0.02)


def test_relation_is_true_of_the_places() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        scene = scenes.random_pair(rng)
        first, second = scene.things
        across, down = first.x - second.x, first.y - second.y
        value = {"left": -across, "right": across, "above": -down, "below": down}[scene.relation]
        assert value > 0.3


def test_compositions_are_lines_and_shapes_on_cream() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        scene = scenes.random_composition(rng)
        assert scene.ground == ("cream", "cream")
        assert 2 <= len(scene.lines) <= 3
        assert 2 <= len(scene.things) <= 4


def test_attributes_order_a_pair_from_left_to_right() -> None:
    one_way = scenes.attributes(pair("left"))
    assert np.array_equal(one_way, scenes.attributes(pair("right")))
    said = Claims((("star", "blue", None), ("circle", None, None)), relation="right")
    assert scenes.satisfied(one_way[None], scenes.attributes(said)[None]).all()
    wrong = Claims((("star", "blue", None), ("circle", None, None)), relation="left")
    assert not scenes.satisfied(one_way[None], scenes.attributes(wrong)[None]).any()


@functools.cache
def made_with(extra: tuple[str, ...]) -> list[scenes.Scene]:
    rng = np.random.default_rng(6)
    return [scenes.random_scene(rng, extra=extra) for _ in range(600)]


@pytest.mark.parametrize("extra", [("hexagon",), ("circle", "hexagon")])
def test_extra_shapes_are_in_more_scenes(extra: tuple[str, ...]) -> None:
    def share(wanted: tuple[str, ...]) -> float:
        made = made_with(wanted)
        assert not any(scenes.held_out(scene) for scene in made)
        return float(np.mean([any(t.noun in extra for t in s.things) for s in made]))

    # Half of the others are passed over: x becomes 2 x / (1 + x), but for compositions.
    plain = share(())
    assert 0.12 * len(extra) < plain < 0.23 * len(extra)
    assert share(extra) == pytest.approx(2 * plain / (1 + plain), abs=0.05)


def test_claims_are_true_of_their_own_scene_and_seldom_of_others() -> None:
    rng = np.random.default_rng(5)
    made = [scenes.random_scene(rng, (0.46, 0.47, 0.07)) for _ in range(200)]
    truths = np.stack([scenes.attributes(scene) for scene in made])
    claims = np.stack([scenes.attributes(scenes.random_description(s, rng)[1]) for s in made])
    true = scenes.satisfied(truths, claims)
    assert true.diagonal().all()
    assert true.mean() < 0.03


def test_patches_say_what_stands_where() -> None:
    truth = pytest.importorskip("scenes.truth")
    nouns, colors = truth.patches(pair())
    assert truth.PATCH_NOUNS[nouns[4, 2]] == "circle"
    assert truth.PATCH_COLORS[colors[4, 2]] == "red"
    assert truth.PATCH_NOUNS[nouns[3, 5]] == "star"
    assert truth.PATCH_NOUNS[nouns[0, 0]] == "ground"
    assert truth.PATCH_COLORS[colors[0, 0]] == "white"


def test_geometry_is_open_where_there_is_no_thing() -> None:
    truth = pytest.importorskip("scenes.truth")
    single = Scene(WHITE, (Thing("circle", "red", "medium", 0.4, 0.6, 0.2),))
    values = truth.geometry(single)
    assert values[:3] == pytest.approx([0.4, 0.6, 0.2])
    assert np.isnan(values[3:]).all()
    assert truth.geometry(pair("right"))[:2] == pytest.approx([0.25, 0.5])
