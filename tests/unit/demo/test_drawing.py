"""Scenes to pixels."""

from __future__ import annotations

import numpy as np
import pytest

scenes = pytest.importorskip("scenes")


def one(noun: str = "circle", color: str = "red", ground: str = "white", **kwargs) -> scenes.Scene:
    values = {"size": "medium", "x": 0.5, "y": 0.5, "radius": 0.25} | kwargs
    return scenes.Scene((ground, ground), (scenes.Thing(noun, color, **values),))


def test_same_seed_gives_the_same_image() -> None:
    scene = scenes.random_scene(np.random.default_rng(7))
    first, second = (scenes.draw(scene, rng=np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, second)


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
    assert cover.sum() == pytest.approx(np.pi * 32**2, rel=0.03)
    between = (cover > 0.1) & (cover < 0.9)
    assert 50 < between.sum() < 400


def test_a_ring_has_the_ground_in_it() -> None:
    pixels = scenes.draw(one("ring", ground="blue"))
    assert tuple(pixels[64, 64]) == scenes.COLORS["blue"]
    assert tuple(pixels[64, 64 + 25]) == scenes.COLORS["red"]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (192, 128), (128, 192)])
def test_a_scene_keeps_its_layout_at_any_size(width: int, height: int) -> None:
    pixels = scenes.draw(one(x=0.3, y=0.7, radius=0.15), width, height)
    assert pixels.shape == (height, width, 3)
    red = np.argwhere(np.abs(pixels - np.array(scenes.COLORS["red"])).sum(-1) < 9)
    y, x = red.mean(0)
    assert (x + 0.5) / width == pytest.approx(0.3, abs=0.012)
    assert (y + 0.5) / height == pytest.approx(0.7, abs=0.012)


def test_a_thing_over_the_border_is_cut_there() -> None:
    pixels = scenes.draw(one("square", x=0.02, radius=0.2))
    assert tuple(pixels[64, 0]) == scenes.COLORS["red"]
    assert tuple(pixels[64, 127]) == scenes.COLORS["white"]


def test_a_gradient_runs_from_top_to_bottom() -> None:
    pixels = scenes.draw(scenes.Scene(("black", "yellow"), ()))
    assert tuple(pixels[0, 5]) == scenes.COLORS["black"]
    assert tuple(pixels[-1, 90]) == scenes.COLORS["yellow"]
    assert (np.diff(pixels[:, 0, 0].astype(int)) >= 0).all()


def test_lines_are_as_wide_as_they_say() -> None:
    line = scenes.Line("black", (0.1, 0.5), (0.9, 0.5), 0.03)
    pixels = scenes.draw(scenes.Scene(("cream", "cream"), (), None, (line,)))
    column = pixels[:, 64].astype(float).sum(-1)
    dark = (column.max() - column) / (column.max() - sum(scenes.COLORS["black"]))
    assert dark.sum() == pytest.approx(0.03 * 128, abs=0.6)
