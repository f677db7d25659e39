"""Weights kept in the form that this machine computes with: the same images from a faster start."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.built import NATIVE_SIZE, PROGRAM

from kandinsky_engine import Engine

FEW: dict[str, Any] = {
    "width": NATIVE_SIZE,
    "height": NATIVE_SIZE,
    "num_inference_steps": 2,
    "prior_num_inference_steps": 2,
}

Generate = Callable[..., tuple[bytes, list[str]]]


@pytest.fixture(params=["fp32", "bf16"])
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def generate(model: Path, precision: str) -> Generate:
    """The image of a new engine with these options, and what was said."""

    def generate(**options: Any) -> tuple[bytes, list[str]]:
        messages: list[str] = []
        with Engine(model, precision=precision, **options) as engine:
            engine.on_message = messages.append
            images = engine.text_to_image(["a red circle"], seeds=[1], **FEW)
        return np.asarray(images).tobytes(), messages

    return generate


def names(folder: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[0] for path in folder.iterdir())


def changed(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_an_image_is_the_same_and_the_second_start_writes_nothing(
    generate: Generate, precision: str, tmp_path: Path
) -> None:
    folder = tmp_path / "below" / "prepared"
    plain, _ = generate()
    first, told = generate(prepared_weights=folder)
    assert first == plain
    networks = ["movq", "unet"]
    # A CPU that cannot pack matrices in bf16 has nothing to prepare for the other networks.
    if precision == "fp32" or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        networks = sorted([*networks, "prior", "prior_text_encoder", "text_encoder"])
    assert names(folder) == networks
    assert sum("prepared weights are kept in" in message for message in told) == len(networks)
    before = changed(folder)
    second, told = generate(prepared_weights=folder)
    assert second == plain
    assert not told
    assert changed(folder) == before


def test_a_damaged_file_is_made_again(generate: Generate, tmp_path: Path) -> None:
    plain, _ = generate(prepared_weights=tmp_path)
    (unet,) = tmp_path.glob("unet-*")
    size = unet.stat().st_size
    with unet.open("r+b") as file:
        file.truncate(size // 2)
    again, told = generate(prepared_weights=tmp_path)
    assert again == plain
    assert unet.stat().st_size == size
    assert len(told) == 1


def test_a_folder_that_cannot_be_written_is_named(generate: Generate, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    plain, _ = generate()
    images, told = generate(prepared_weights=place)
    assert images == plain
    assert all("cannot be kept" in message and str(place) in message for message in told)
    assert told


def test_a_limit_that_is_too_small_is_named(generate: Generate, tmp_path: Path) -> None:
    _, told = generate(prepared_weights=tmp_path, prepared_weights_size=1000)
    assert all("above the limit" in message for message in told)
    assert not [*tmp_path.iterdir()]


def test_the_folder_stays_within_its_limit(generate: Generate, tmp_path: Path) -> None:
    generate(prepared_weights=tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    limit = sum(sizes.values()) - 1
    for path in tmp_path.glob("unet-*"):
        path.unlink()
    plain, _ = generate(prepared_weights=tmp_path, prepared_weights_size=limit)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
    assert plain == generate()[0]


def test_deleting_the_folder_disturbs_no_engine_that_uses_it(model: Path, tmp_path: Path) -> None:
    def image(engine: Engine) -> bytes:
        return np.asarray(engine.text_to_image(["a red circle"], seeds=[1], **FEW)).tobytes()

    with Engine(model, prepared_weights=tmp_path) as engine:
        plain = image(engine)
    with Engine(model, prepared_weights=tmp_path) as engine:
        assert image(engine) == plain
        for path in tmp_path.iterdir():
            path.unlink()
        assert image(engine) == plain
        engine.unload()
        assert image(engine) == plain


def test_the_command_line_has_it(model: Path, tmp_path: Path) -> None:
    def run(name: str, *more: str) -> bytes:
        size = str(NATIVE_SIZE)
        command = [PROGRAM, "txt2img", "--model", model, "--prompt", "a red circle", "--seed", "1"]
        few = ["--width", size, "--height", size, "--steps", "2", "--prior-steps", "2"]
        output = tmp_path / name
        subprocess.run([*command, *few, *more, "--output", output], check=True)
        return output.read_bytes()

    kept = ["--prepared-weights", str(tmp_path / "prepared")]
    assert run("a.png") == run("b.png", *kept) == run("c.png", *kept)
