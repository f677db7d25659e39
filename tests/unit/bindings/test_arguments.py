"""Wrong Python values are refused by name, before the engine does anything."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kandinsky_engine as kandinsky
from kandinsky_engine import _core

SIZE = {"width": 64, "height": 64}


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[kandinsky.Engine]:
    with kandinsky.Engine(model) as engine:

        def refuse(progress: kandinsky.Progress) -> None:
            raise AssertionError(f"the engine works: {progress}")

        engine.on_progress = refuse
        yield engine


def refused(name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The message with which call refuses the argument called name."""
    with pytest.raises(kandinsky.InvalidArgumentError) as caught:
        call(*args, **kwargs)
    assert str(caught.value).startswith(f"{name}:")
    return str(caught.value)


class Wrapped:
    """Has an index, as numpy's integers have."""

    def __index__(self) -> int:
        return 64


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("prompts", {"prompts": "a red circle"}, "got one str"),
        ("prompts", {"prompts": 3}, "got one int"),
        ("prompts[1]", {"prompts": ["a", b"b"], "seeds": [1, 2]}, "got bytes"),
        ("prompts[0]", {"prompts": ["a\0b"]}, "NUL"),
        ("prompts[0]", {"prompts": ["a\ud800"]}, "UTF-8"),
        ("negative_prompts", {"negative_prompts": "blue"}, "got one str"),
        ("negative_prompts[0]", {"negative_prompts": [None]}, "got NoneType"),
        ("seeds", {"seeds": 5}, "got one int"),
        ("seeds[0]", {"seeds": [1.5]}, "got float"),
        ("seeds[0]", {"seeds": [-1]}, "out of range"),
        ("seeds[0]", {"seeds": [2**64]}, "out of range"),
        ("prior_num_inference_steps", {"prior_num_inference_steps": "2"}, "got str"),
        ("prior_num_inference_steps", {"prior_num_inference_steps": 2**31}, "out of range"),
        ("prior_guidance_scale", {"prior_guidance_scale": "high"}, "high"),
        ("prior_guidance_scale", {"prior_guidance_scale": 10**400}, "too large"),
    ],
)
def test_prompts(engine: kandinsky.Engine, name: str, values: dict[str, Any], reason: str) -> None:
    arguments = {"prompts": ["a"], "seeds": [1], **values}
    assert reason in refused(name, engine.encode_prompts, **arguments)
    assert reason in refused(name, engine.text_to_image, **SIZE, **arguments)


@pytest.mark.parametrize(
    "values",
    [
        {"prompts": ["a", "b"]},
        {"seeds": [1, 2]},
        {"negative_prompts": ["a", "b"]},
        {"prompts": [], "seeds": []},
        {"prior_num_inference_steps": 1},
        {"prior_num_inference_steps": 1001},
        {"prior_guidance_scale": float("nan")},
        {"prior_guidance_scale": -1},
    ],
)
def test_what_the_engine_itself_refuses(engine: kandinsky.Engine, values: dict[str, Any]) -> None:
    arguments = {"prompts": ["a"], "seeds": [1], **values}
    with pytest.raises(kandinsky.InvalidArgumentError):
        engine.encode_prompts(**arguments)


@pytest.mark.parametrize(
    ("width", "height"), [(0, 64), (64, 0), (-1, 64), (16385, 64), (2**31, 64), (64.0, 64)]
)
def test_sizes(engine: kandinsky.Engine, width: Any, height: Any) -> None:
    latents = np.zeros((1, 4, 8, 8), np.float32)
    for call in (
        lambda: engine.latent_size(width, height),
        lambda: engine.decode(latents, width=width, height=height),
        lambda: engine.text_to_image(["a"], seeds=[1], width=width, height=height),
    ):
        with pytest.raises(kandinsky.InvalidArgumentError, match=r"width|height"):
            call()


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(64, 64, (8, 8)), (1, 65, (8, 16)), (128, 100, (16, 16)), (np.int64(64), Wrapped(), (8, 8))],
)
def test_latent_size(
    engine: kandinsky.Engine, width: Any, height: Any, expected: tuple[int, int]
) -> None:
    assert engine.latent_size(width, height) == expected


def good_latents() -> np.ndarray:
    return np.zeros((1, 4, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (good_latents().astype(np.float64), "must be float32"),
        (good_latents().astype(np.float16), "must be float32"),
        (good_latents().astype(np.int32), "must be float32"),
        (good_latents().astype(">f4"), "must be float32"),
        (good_latents()[0], "must be [any, 4, 8, 8], got [4, 8, 8]"),
        (good_latents()[:, :3], "got [1, 3, 8, 8]"),
        (np.zeros((1, 4, 8, 16), np.float32), "got [1, 4, 8, 16]"),
        (np.zeros((1, 4, 8, 16), np.float32)[..., ::2], "not C-contiguous"),
        (good_latents().transpose(0, 1, 3, 2), "not C-contiguous"),
        (np.asfortranarray(np.ones((1, 4, 8, 8), np.float32)), "not C-contiguous"),
        ([[1.0]], "got list"),
        (None, "got NoneType"),
    ],
)
def test_latents(engine: kandinsky.Engine, array: Any, reason: str) -> None:
    assert reason in refused("latents", engine.decode, array, **SIZE)


@pytest.mark.parametrize("array", [np.full((1, 4, 8, 8), np.nan, np.float32), good_latents()[:0]])
def test_latents_that_the_engine_itself_refuses(engine: kandinsky.Engine, array: Any) -> None:
    with pytest.raises(kandinsky.InvalidArgumentError):
        engine.decode(array, **SIZE)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((1, 64, 64, 3), np.float32), "must be uint8"),
        (np.zeros((1, 64, 64, 3), np.int8), "must be uint8"),
        (np.zeros((1, 64, 64, 4), np.uint8), "got [1, 64, 64, 4]"),
        (np.zeros((64, 64, 3), np.uint8), "got [64, 64, 3]"),
        (np.zeros((1, 64, 64, 6), np.uint8)[..., ::2], "not C-contiguous"),
        ("picture", "got str"),
    ],
)
def test_pictures(engine: kandinsky.Engine, tmp_path: Path, array: Any, reason: str) -> None:
    assert reason in refused("pictures", engine.encode, array)
    if isinstance(array, np.ndarray) and array.ndim == 4:
        refused("array", kandinsky.save_picture, tmp_path / "picture.png", array[0])
    assert list(tmp_path.iterdir()) == []


def test_embeds_are_asked_for_by_name(engine: kandinsky.Engine) -> None:
    options = {**SIZE, "seeds": [1]}
    assert "got NoneType" in refused("embeds", engine.denoise, None, None, **options)
    assert "got str" in refused("items[0]", kandinsky.Embeds.combine, ["a"], [1.0])
    with pytest.raises(kandinsky.InvalidArgumentError):
        kandinsky.Embeds.combine([], [])


def test_views_and_read_only_arrays_are_fine(tmp_path: Path) -> None:
    """The stride of an axis of length one means nothing, and nothing is written to."""
    picture = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    picture.setflags(write=False)
    kandinsky.save_picture(tmp_path / "whole.png", picture)
    kandinsky.save_picture(tmp_path / "rows.png", picture[2:4])
    column = np.lib.stride_tricks.as_strided(picture[0, :1], (1, 1, 3), (999, 777, 1))
    kandinsky.save_picture(tmp_path / "point.png", column)
    assert (tmp_path / "point.png").stat().st_size > 0


def test_paths(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    kandinsky.save_picture(tmp_path / "круг.png", picture)
    kandinsky.save_picture(os.fspath(tmp_path / "круг.png"), picture, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["круг.png"]
    refused("path", kandinsky.save_picture, 3, picture)
    refused("path", kandinsky.save_picture, os.fsdecode(b"\xff.png"), picture)
    refused("path", kandinsky.save_picture, "a\0.png", picture)
    refused("model_dir", kandinsky.Engine, None)
    refused("parameters", kandinsky.save_picture, tmp_path / "x.png", picture, b"bytes")


@pytest.mark.parametrize("name", ["picture", "picture.gif", "none/picture.png"])
def test_pictures_that_cannot_be_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(kandinsky.KandinskyError, match=r"picture"):
        kandinsky.save_picture(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_closed_engine(model: Path) -> None:
    engine = kandinsky.Engine(model)
    engine.close()
    engine.close()
    engine.cancel()
    for call in (
        engine.unload,
        lambda: engine.info,
        lambda: engine.latent_size(64, 64),
        lambda: engine.encode_prompts(["a"], seeds=[1]),
        lambda: engine.decode(good_latents(), **SIZE),
    ):
        with pytest.raises(kandinsky.InvalidArgumentError, match="closed"):
            call()


def test_buffers_of_results_belong_to_python() -> None:
    """What numpy wraps outlives every name of it, and may be written to."""
    assert {"FloatBuffer", "ByteBuffer"} <= set(vars(_core))
    with pytest.raises(TypeError):
        _core.FloatBuffer()
