"""Wrong Python values are refused by name, before the engine does anything."""

import inspect
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

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
    assert re.match(rf"(there are \d+ )?{re.escape(name)}(:| is | for )", str(caught.value))
    return str(caught.value)


def pixels(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def call(engine: kandinsky.Engine, model: Path, operation: str, **options: Any) -> Any:
    """Engine itself or one of its methods, with what it needs beside the options."""
    needed: dict[str, Any] = {
        "engine": {"model_dir": model},
        "encode": {"images": pixels(1, 64, 64, 3)},
        "decode": {"latents": good_latents()},
    }.get(operation, {"seeds": [1]})
    if operation in ("denoise", "generate"):
        needed |= {"embeds": None, "negative_embeds": None}
    if "_to_image" in operation or operation == "encode_prompts":
        needed["prompts"] = ["a"]
    if operation in ("image_to_image", "generate"):
        needed["images"] = [pixels(64, 64, 3)]
    if operation not in ("engine", "encode", "encode_prompts"):
        needed |= SIZE
    method = kandinsky.Engine if operation == "engine" else getattr(engine, operation)
    return method(**{**needed, **options})


EVERY_OPTION = [
    pytest.param(operation, option, id=f"{operation}-{option.name}")
    for operation in kandinsky.operations()
    for option in kandinsky.options(operation)
    # Not keywords of its own: the size is that of the images.
    if operation != "encode" or option.name not in SIZE
]
WRONG: dict[str, tuple[Any, str]] = {
    "flag": (1, "got 1"),
    "integer": (2.5, "got float"),
    "number": ("4", "got '4'"),
    "text": (3, "got int"),
    "path": (3, "got int"),
    "texts": ("blue", "got one str"),
    "paths": ("blue", "got one str"),
    "seeds": (5, "got one int"),
    "floats": ([1.0], "got list"),
    "images": ("image.png", "got one str"),
    "conditions": (3, "got one int"),
}


@pytest.mark.parametrize(("operation", "option"), EVERY_OPTION)
def test_every_option_has_its_type(
    engine: kandinsky.Engine, model: Path, operation: str, option: kandinsky.Option
) -> None:
    wrong, reason = WRONG[option.type]
    told = refused(option.name, call, engine, model, operation, **{option.name: wrong})
    assert reason in told


@pytest.mark.parametrize(("operation", "option"), EVERY_OPTION)
def test_every_option_has_its_range(
    engine: kandinsky.Engine, model: Path, operation: str, option: kandinsky.Option
) -> None:
    values: list[Any] = []
    if option.words:
        values = ["no such word"] if option.type == "text" else [["no such word"]]
    elif option.type == "integer":
        assert option.minimum is not None
        assert option.maximum is not None
        values = [
            int(option.minimum) - 1,
            math.ceil(math.nextafter(option.maximum, math.inf)),
            2**63,
        ]
    elif option.type == "number":
        assert option.minimum is not None
        assert option.maximum is not None
        values = [option.minimum - 1, option.maximum + 1, float("nan")]
    for value in values:
        told = refused(option.name, call, engine, model, operation, **{option.name: value})
        if option.words:
            assert all(word in told for word in option.words)
        elif value != 2**63:
            assert f"expected {option.minimum:g} to {option.maximum:.17g}" in told


class Unreadable:
    """Stands for whatever fails while it is read."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        raise OSError("broken")


class Wrapped:
    """Has an index, as numpy's integers have."""

    def __index__(self) -> int:
        return 64


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("prompts", {"prompts": 3}, "got one int"),
        ("prompts[1]", {"prompts": ["a", b"b"], "seeds": [1, 2]}, "got bytes"),
        ("prompts[0]", {"prompts": ["a\0b"]}, "NUL"),
        ("prompts[0]", {"prompts": ["a\ud800"]}, "UTF-8"),
        ("prompts", {"prompts": {"a"}}, "got one set"),
        ("prompts", {"prompts": {"a": 1}}, "got one dict"),
        ("prompts", {"prompts": None}, "got one NoneType"),
        ("prompts", {"prompts": itertools.repeat("a")}, "more than 1024"),
        ("negative_prompts[0]", {"negative_prompts": [None]}, "got NoneType"),
        ("seeds", {"seeds": np.array(5)}, "got one ndarray"),
        ("seeds", {"seeds": {1, 2}}, "got one set"),
        ("seeds", {"seeds": itertools.count()}, "more than 1024"),
        ("seeds[0]", {"seeds": ["1"]}, "got str"),
        ("seeds[0]", {"seeds": np.array([1.0])}, "got float64"),
        ("seeds[0]", {"seeds": torch.tensor([1.0])}, "got Tensor"),
        ("seeds[0]", {"seeds": [1.5]}, "got float"),
        ("seeds[0]", {"seeds": [-1]}, "out of range"),
        ("seeds[0]", {"seeds": [2**64]}, "out of range"),
        ("prior_guidance_scale", {"prior_guidance_scale": "high"}, "high"),
        ("prior_guidance_scale", {"prior_guidance_scale": torch.ones(2)}, "got tensor"),
        ("prior_guidance_scale", {"prior_guidance_scale": 10**400}, "too large"),
        ("negative_prior_prompts[0]", {"negative_prior_prompts": [None]}, "got NoneType"),
        ("negative_image", {"negative_image": None}, "got NoneType"),
        ("long_prompts", {"long_prompts": "yes"}, "got 'yes'"),
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
        {"negative_prior_prompts": ["a", "b"]},
    ],
)
def test_what_the_engine_itself_refuses(engine: kandinsky.Engine, values: dict[str, Any]) -> None:
    arguments = {"prompts": ["a"], "seeds": [1], **values}
    with pytest.raises(kandinsky.InvalidArgumentError):
        engine.encode_prompts(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("scheduler", b"Karras", "got bytes"),
        ("guidance_scale", "4,0", "4,0"),
        ("guidance_rescale", None, "got None"),
        ("guidance_start", [], "got []"),
        ("noise", np.zeros((1, 4, 8, 8)), "must be float32, got float64 [1, 4, 8, 8]"),
        ("noise", torch.zeros(1, 4, 8, 8, requires_grad=True), "detach()"),
        ("noise", torch.zeros(1, 4, 8, 8, device="meta"), "meta"),
        ("noise", torch.zeros(1, 4, 8, 8, dtype=torch.float16), "got float16"),
        ("noise", torch.zeros(1, 4, 8, 8, dtype=torch.bfloat16), "BFloat16"),
        ("noise", np.zeros((1, 3, 8, 8), np.float32), "need [1, 4, 8, 8]"),
        ("variation_seeds[0]", [-1], "out of range"),
        ("variation_seeds", [1, 2], "there are 2"),
        ("mask_method", None, "got NoneType"),
        ("conditions[0]", [(0, 0, 1, 2)], "got tuple"),
        ("conditions[0].row", [kandinsky.Condition(0.5, 0, 1, 2)], "got float"),  # type: ignore[arg-type]
        ("conditions[0].weight", [kandinsky.Condition(0, 0, 1, 2, "x")], "x"),  # type: ignore[arg-type]
        ("negative_conditions[0]", [None], "got NoneType"),
    ],
)
def test_sampling(engine: kandinsky.Engine, name: str, value: Any, reason: str) -> None:
    options = {**SIZE, "seeds": [1], name.partition("[")[0]: value}
    if name != "mask_method":
        assert reason in refused(name, engine.text_to_image, ["a"], **options)
    images = [pixels(64, 64, 3)]
    assert reason in refused(name, engine.image_to_image, ["a"], images=images, **options)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("images", np.zeros((64, 64, 3), np.uint8), "got one array [64, 64, 3]"),
        ("images", None, "got one NoneType"),
        ("images[0]", ["image.png"], "got str"),
        ("images[0]", [np.zeros((64, 64, 3), np.float32)], "must be uint8, got float32 [64, 64"),
        ("images[0]", [np.zeros((64, 64, 3), np.float32)], "(255 * array)"),
        ("images[0]", [np.zeros((64, 64, 3), np.uint16)], "got uint16"),
        ("images[0]", [np.zeros((64, 64), bool)], "got bool"),
        ("images[0]", [np.zeros((64, 64, 3), object)], "got object"),
        ("images[0]", [torch.zeros(3, 64, 64, dtype=torch.uint8)], "got [3, 64, 64]"),
        ("images[0]", [Unreadable()], "this Unreadable cannot be read as an array: broken"),
        ("images", Image.new("RGB", (8, 8)), "got one Image"),
        ("images", torch.zeros(64, 64, 3, dtype=torch.uint8), "got one array [64, 64, 3]"),
        ("images", itertools.repeat(np.zeros((64, 64, 3), np.uint8)), "more than 100"),
        ("images[0]", [np.zeros((64, 64, 2), np.uint8)], "[any, any, 3] or [any, any, 4]"),
        ("images[1]", [np.zeros((8, 8), np.uint8), np.zeros(8, np.uint8)], "got [8]"),
        ("masks", np.zeros((64, 64), np.uint8), "got one array [64, 64]"),
        ("masks[0]", [np.eye(64, dtype=np.uint8)], "white is 255"),
        ("masks[0]", [np.eye(64, dtype=int)], "array > 0"),
        ("masks[0]", [np.eye(64)], "(255 * array)"),
        ("masks[0]", [np.zeros((64, 64, 2), bool)], "got [64, 64, 2]"),
        ("invert_mask", None, "got None"),
        ("composite", "no", "got 'no'"),
    ],
)
def test_sources(engine: kandinsky.Engine, name: str, value: Any, reason: str) -> None:
    options: dict[str, Any] = {
        **SIZE,
        "seeds": [1],
        "images": [pixels(64, 64, 3)],
        name.partition("[")[0]: value,
    }
    assert reason in refused(name, engine.image_to_image, ["a"], **options)
    if name.startswith("images") and value is not None:
        assert reason in refused(name, engine.encode_images, value)


@pytest.mark.parametrize(
    ("method", "wrong", "right"),
    [
        ("encode_prompts", "prior_steps", None),
        ("encode_prompts", "prior_num_inference_step", "prior_num_inference_steps"),
        ("text_to_image", "mask_blur", None),
        ("text_to_image", "guidance", "guidance_end"),
        ("text_to_image", "strength", None),
        ("image_to_image", "init_latents", None),
        ("image_to_image", "mask", "masks"),
    ],
)
def test_unknown_keywords_are_named(
    engine: kandinsky.Engine, method: str, wrong: str, right: str | None
) -> None:
    arguments: dict[str, Any] = {"prompts": ["a"], "seeds": [1], wrong: 1}
    if method != "encode_prompts":
        arguments |= SIZE
    if method == "image_to_image":
        arguments["images"] = [pixels(64, 64, 3)]
    with pytest.raises(TypeError) as caught:
        getattr(engine, method)(**arguments)
    assert str(caught.value).startswith(f"{method}() got an unexpected keyword argument '{wrong}'")
    if right is not None:
        assert f"did you mean '{right}'?" in str(caught.value)


@pytest.mark.parametrize("operation", kandinsky.operations())
def test_every_option_has_a_keyword(operation: str) -> None:
    """Its method names it, or the class of its method's other keywords."""
    owner = kandinsky.Engine if operation == "engine" else getattr(kandinsky.Engine, operation)
    kind = "".join(word.capitalize() for word in operation.split("_")) + "Options"
    known = {option.name for option in kandinsky.options(operation)}
    named = known & set(inspect.signature(owner).parameters)
    keywords = set(getattr(kandinsky, kind).__annotations__)
    assert not keywords & named
    # The size to encode is that of the images.
    assert keywords | named == known - (set(SIZE) if operation == "encode" else set())


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
        ("image", "got str"),
    ],
)
def test_images(engine: kandinsky.Engine, tmp_path: Path, array: Any, reason: str) -> None:
    assert reason in refused("images", engine.encode, array)
    if isinstance(array, np.ndarray) and array.ndim == 4:
        refused("array", kandinsky.save_image, tmp_path / "image.png", array[0])
    assert list(tmp_path.iterdir()) == []


def test_embeds_are_asked_for_by_name(engine: kandinsky.Engine) -> None:
    options = {**SIZE, "seeds": [1]}
    assert "got NoneType" in refused("embeds", engine.denoise, None, None, **options)
    assert "got NoneType" in refused("embeds", engine.generate, None, None, **options)
    assert "got str" in refused("items[0]", kandinsky.Embeds.combine, ["a"], [1.0])
    assert "got one int" in refused("items", kandinsky.Embeds.concat, 3)
    assert "got NoneType" in refused("items[0]", kandinsky.Embeds.concat, [None])
    for call in (lambda: kandinsky.Embeds.combine([], []), lambda: kandinsky.Embeds.concat([])):
        with pytest.raises(kandinsky.InvalidArgumentError):
            call()


def test_views_and_read_only_arrays_are_fine(tmp_path: Path) -> None:
    """The stride of an axis of length one means nothing, and nothing is written to."""
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    image.setflags(write=False)
    kandinsky.save_image(tmp_path / "whole.png", image)
    kandinsky.save_image(tmp_path / "rows.png", image[2:4])
    column = np.lib.stride_tricks.as_strided(image[0, :1], (1, 1, 3), (999, 777, 1))
    kandinsky.save_image(tmp_path / "point.png", column)
    assert (tmp_path / "point.png").stat().st_size > 0


def test_paths(tmp_path: Path) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    kandinsky.save_image(tmp_path / "круг.png", image)
    kandinsky.save_image(os.fspath(tmp_path / "круг.png"), image, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["круг.png"]
    refused("path", kandinsky.save_image, 3, image)
    assert "character 1" in refused("path", kandinsky.save_image, "a\ud800.png", image)
    refused("path", kandinsky.save_image, "a\0.png", image)
    refused("path", kandinsky.save_image, b"a\0.png", image)
    refused("path", kandinsky.load_image, None)
    refused("model_dir", kandinsky.Engine, None)
    refused("inpaint_dir", kandinsky.Engine, tmp_path, inpaint_dir=3)
    refused("parameters", kandinsky.save_image, tmp_path / "x.png", image, b"bytes")


@pytest.mark.parametrize("name", ["image", "image.gif", "none/image.png"])
def test_images_that_cannot_be_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(kandinsky.KandinskyError, match=r"image"):
        kandinsky.save_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
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
        lambda: engine.encode_images([np.zeros((8, 8), np.uint8)]),
        lambda: engine.decode(good_latents(), **SIZE),
    ):
        with pytest.raises(kandinsky.InvalidArgumentError, match="closed"):
            call()


def test_buffers_of_results_belong_to_python() -> None:
    """What numpy wraps outlives every name of it, and may be written to."""
    assert {"FloatBuffer", "ByteBuffer"} <= set(vars(_core))
    with pytest.raises(TypeError):
        _core.FloatBuffer()
