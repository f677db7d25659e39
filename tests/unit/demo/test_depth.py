"""Depth maps of scenes, and what the score asks of depth control."""

from __future__ import annotations

import numpy as np
import pytest

scenes = pytest.importorskip("scenes")
checks = pytest.importorskip("checks")
prompts = pytest.importorskip("prompts")

Line, Scene, Thing = scenes.Line, scenes.Scene, scenes.Thing
WHITE = ("white", "white")
SMALL = Thing("circle", "red", "small", 0.25, 0.5, 0.12)
LARGE = Thing("square", "blue", "large", 0.7, 0.5, 0.25)


def test_larger_things_are_nearer_and_lines_nearest() -> None:
    line = Line("black", (0.0, 0.9), (1.0, 0.9), 0.05)
    depth = scenes.depth_map(Scene(WHITE, (SMALL, LARGE), None, (line,)))
    assert depth.shape == (128, 128)
    assert depth.dtype == np.uint8
    ground, small, large, front = (depth[y, x] for y, x in ((2, 2), (64, 32), (64, 90), (115, 64)))
    assert ground == 0
    assert ground < small < large < front == 255


def test_a_map_has_the_outlines_of_its_image() -> None:
    scene = Scene(WHITE, (Thing("star", "black", "medium", 0.4, 0.6, 0.3, 8.0),))
    depth = scenes.depth_map(scene, 192, 128).astype(float)
    pixels = scenes.draw(scene, 192, 128)[..., 0].astype(float)
    cover = (pixels[0, 0] - pixels) / (pixels[0, 0] - pixels.min())
    assert np.abs(depth / depth.max() - cover).max() < 0.01


def test_loose_maps_differ_but_keep_things_before_the_ground() -> None:
    scene = Scene(WHITE, (LARGE,))
    rng = np.random.default_rng(3)
    maps = [scenes.depth_map(scene, rng=rng) for _ in range(60)]
    exact = scenes.depth_map(scene)
    loose = [depth for depth in maps if not np.array_equal(depth, exact)]
    assert 15 < len(loose) < 45
    for depth in loose:
        assert depth[64, 90] > depth[64, 4] + 30


def test_controls_are_held_out_and_agree_or_not() -> None:
    for agreeing in (True, False):
        tasks = prompts.controls(24, agreeing=agreeing)
        assert tasks[0].asked == prompts.controls(24, agreeing=agreeing)[0].asked
        for task in tasks:
            (thing,) = task.scene.things
            assert scenes.held_out(task.scene)
            assert task.asked.claims.things == ((thing.noun, thing.color, None),)
            assert (f" {thing.noun} " in task.asked.prompt) == agreeing


def test_a_drawing_of_the_map_is_right_and_one_elsewhere_is_not() -> None:
    (task,) = prompts.controls(1, agreeing=True)
    right = scenes.draw(task.scene)
    assert checks.overlap(task, right) > 0.95
    assert all(checks.controlled(task, right).values())
    moved = np.roll(right, 24, axis=1)
    assert checks.overlap(task, moved) < 0.7
    points = checks.controlled(task, moved)
    assert not points.pop("in its place (overlap 0.8)")
    assert all(points.values())


def test_an_empty_image_overlaps_nothing() -> None:
    (task,) = prompts.controls(1, agreeing=True)
    assert checks.overlap(task, np.full((128, 128, 3), 255, dtype=np.uint8)) == 0
