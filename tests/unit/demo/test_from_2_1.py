"""Making a decoder of Kandinsky 2.2 from one of 2.1: its captions and its linear maps."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import pytest

scenes = pytest.importorskip("scenes")
torch = pytest.importorskip("torch")

ABSENT = (
    *("diffusers", "diffusers.pipelines", "diffusers.pipelines.kandinsky"),
    *("diffusers.pipelines.kandinsky.text_encoder", "transformers"),
    *("common", "train_text"),
)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name in ABSENT:
        monkeypatch.setitem(sys.modules, name, MagicMock())
    yield importlib.import_module("from_2_1")
    del sys.modules["from_2_1"]


def roles(words: list[tuple[str, str]]) -> dict[str, str]:
    return {role: word for word, role in words if role}


def test_captions_tell_everything(made: ModuleType) -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        scene = scenes.random_scene(rng, (0.5, 0.5, 0.0))
        said = roles(made.caption(scene))
        things = list(scene.things)
        if scene.relation in {"right", "below"}:
            things.reverse()
        for thing, number in zip(things, ("", " 2"), strict=False):
            assert said[f"color{number}"] == thing.color
            assert said[f"noun{number}"] == thing.noun
        assert (said.get("size", "medium") == scene.things[0].size) or scene.kind == "pair"
        assert said["ground"] == scene.ground[0]
        assert said.get("ground 2", scene.ground[0]) == scene.ground[1]
        assert "place" in said


def test_a_pair_is_told_alike_in_both_orders(made: ModuleType) -> None:
    circle = scenes.Thing("circle", "red", "medium", 0.25, 0.5, 0.18)
    star = scenes.Thing("star", "blue", "medium", 0.75, 0.5, 0.18)
    white = ("white", "white")
    one = scenes.Scene(white, (circle, star), "left")
    other = scenes.Scene(white, (star, circle), "right")
    text = " ".join(word for word, _ in made.caption(one))
    assert text == "a red circle left of a blue star on a white background"
    assert made.caption(one) == made.caption(other)


def test_every_role_of_a_caption_has_a_token(made: ModuleType) -> None:
    rng = np.random.default_rng(2)
    told = {role for _ in range(100) for role in roles(made.caption(scenes.random_scene(rng)))}
    assert told == set(made.ROLES)
    assert 2 + 2 * len(made.ROLES) <= made.TOKENS - made.OWN


def test_a_linear_map_is_found(made: ModuleType) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = 3 + torch.randn(400, 5, generator=generator) * torch.tensor([1, 2, 0.5, 1, 3])
    weight, bias = torch.randn(7, 5, generator=generator), torch.randn(7, generator=generator)
    found = made.fit(inputs, inputs @ weight.T + bias)
    assert torch.allclose(found[0], weight, atol=0.02)
    assert torch.allclose(inputs @ found[0].T + found[1], inputs @ weight.T + bias, atol=0.1)
