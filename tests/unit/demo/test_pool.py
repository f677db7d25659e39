"""The UNets' pool: images keep their own scenes and captions, whatever changes afterwards."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import scenes as scenes_module

torch = pytest.importorskip("torch")
TRAIN = Path(__file__).resolve().parents[3] / "demo/train"
# What this environment does not have; the networks are pretended below.
ABSENT = (
    *("diffusers", "diffusers.pipelines", "diffusers.pipelines.kandinsky"),
    *("diffusers.pipelines.kandinsky.text_encoder", "transformers"),
)
SIZES = {(64, 64): (0.5, 4), (128, 64): (0.5, 7)}
PART = 3


class Movq:
    """Latents are the pixels at every eighth place."""

    def eval(self) -> Movq:
        return self

    def to(self, **_: object) -> Movq:
        return self

    def encode(self, pixels: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(latents=pixels[:, :, ::8, ::8])

    def decode(self, latents: torch.Tensor, *, force_not_quantize: bool) -> SimpleNamespace:
        assert force_not_quantize
        return SimpleNamespace(sample=torch.nn.functional.interpolate(latents, scale_factor=8))


def vision(pixels: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(image_embeds=pixels.mean((2, 3)))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """pool.py, with a few small shards and pretended networks."""
    for name in ABSENT:
        monkeypatch.setitem(sys.modules, name, MagicMock())
    before = set(sys.modules)
    made = importlib.import_module("pool")
    monkeypatch.setattr(made, "BUCKETS", SIZES)
    monkeypatch.setattr(made, "PART", PART)
    monkeypatch.setattr(made, "_is_shown", lambda _scene, _pixels: True)
    monkeypatch.setattr(made.VQModel, "from_pretrained", lambda _: Movq())
    tower = made.CLIPVisionModelWithProjection
    tower.from_pretrained.return_value.eval.return_value = vision
    yield made
    # With the pretended modules in them they are of no use to others.
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) == str(TRAIN / f"{name}.py"):
            del sys.modules[name]


@pytest.fixture
def guesses(pool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = importlib.import_module("guesses")
    monkeypatch.setattr(made, "AT_ONCE", 1)
    monkeypatch.setattr(made, "Tokenizers", MagicMock())
    monkeypatch.setattr(made, "guess", lambda _p, _t, _k, texts, *_: torch.zeros(len(texts), 128))
    return made


def options(pool: ModuleType, work: Path, seed: int = 0) -> object:
    return pool.Options(work=work, seed=seed)


def test_images_keep_their_scenes(
    pool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def draw(scene: object, *rest: object) -> object:
        drawn.append(scene)
        return real(scene, *rest)

    real = pool.draw
    monkeypatch.setattr(pool, "draw", draw)
    pool.make(options(pool, tmp_path))
    # Each shard is drawn twice: for MoVQ, and for the image tower.
    shown = [drawn[i : i + PART] for i in range(0, len(drawn), 2 * PART)]
    shown = [scene for part in shown for scene in part]

    monkeypatch.setattr(pool, "random_scene", lambda _rng, **_: pytest.fail("drawn again"))
    found = pool.Pool(options(pool, tmp_path, seed=1))
    assert [scene for scenes in found.scenes.values() for scene in scenes] == shown
    assert found.latents[128, 64].shape == (7 * PART, 3, 8, 16)
    assert len(found) == 11 * PART


def test_small_images_that_cannot_be_told_are_drawn_anew(
    pool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, tuple[int, ...]]] = []

    def is_shown(scene: Any, pixels: np.ndarray) -> bool:
        seen.append((scene, pixels.shape))
        return scene.kind == "composition" or scene.things[0].noun == "ring"

    monkeypatch.setattr(pool, "TRIES", 200)
    (tmp_path / "plain").mkdir()
    pool.make(options(pool, tmp_path / "plain"))
    monkeypatch.setattr(pool, "_is_shown", is_shown)
    pool.make(options(pool, tmp_path))
    before = pool.Pool(options(pool, tmp_path / "plain"))
    found = pool.Pool(options(pool, tmp_path))
    for size, scenes in found.scenes.items():
        assert [scene.kind for scene in scenes] == [scene.kind for scene in before.scenes[size]]
        for scene, latents in zip(scenes, found.latents[size], strict=True):
            assert scene.kind == "composition" or scene.things[0].noun == "ring"
            # They are those of this scene's image: its ground's colour is in the corner.
            corner = (latents[:, 0, 0].float() + 1) * 127.5
            ground = torch.tensor(scenes_module.COLORS[scene.ground[0]])
            assert (corner - ground).abs().max() < 6 or scene.kind == "composition"
    assert {shape for _, shape in seen} == {(64, 64, 3), (64, 128, 3)}


def test_a_pool_without_its_scenes_is_refused(pool: ModuleType, tmp_path: Path) -> None:
    pool.make(options(pool, tmp_path))
    path = pool.shard_path(tmp_path / "pool", (64, 64), 2)
    pool.save(path, pool.load(path)[1:])
    with pytest.raises(ValueError, match=r"64x64-0002\.pt does not hold its scenes"):
        pool.Pool(options(pool, tmp_path))


def test_guesses_are_about_the_pools_images(
    pool: ModuleType, guesses: ModuleType, tmp_path: Path
) -> None:
    chosen = options(pool, tmp_path)
    pool.make(chosen)
    guesses.make(options(pool, tmp_path, seed=5))
    found = guesses.Guesses(chosen, pool.Pool(chosen))
    assert found.ones[128, 64].tolist() == [0, 1, 2, 9, 10, 11, 18, 19, 20]
    assert len(found.texts[128, 64]) == len(found.embeds[128, 64]) == 9

    for path in (tmp_path / "pool").iterdir():
        path.unlink()
    pool.make(options(pool, tmp_path, seed=1))
    with pytest.raises(ValueError, match=r"64x64-0000\.pt is about other images"):
        guesses.Guesses(chosen, pool.Pool(chosen))


def test_every_shard_is_guessed_once_however_far_the_others_are(
    pool: ModuleType, guesses: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options(pool, tmp_path)
    pool.make(chosen)
    saved: list[str] = []

    def save(path: Path, content: object) -> None:
        saved.append(path.name)
        pool.save(path, content)

    monkeypatch.setattr(guesses, "save", save)
    for rank in range(2):  # the first is done before the second begins
        monkeypatch.setattr(guesses, "rank_and_size", lambda rank=rank: (rank, 2))
        guesses.make(chosen)
    assert len(saved) == len(set(saved)) == 5
    guesses.Guesses(chosen, pool.Pool(chosen))
