"""The bench, run whole on tiny models; diffusers, which is not installed here, takes no part."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import built

WORKS = ["text", "prior", "unet", "movq", "load", "image", "memory"]


def run(folder: Path, model: Path, *arguments: str) -> Path:
    """What a quick run writes."""
    arguments = (*arguments, "--against", "engine", "--sizes", "64", "--quick")
    where = ["--model", model, "--output", folder / "out"]
    how = ["--package", built.PYTHON_DIR, "--engine-python", sys.executable]
    subprocess.run(
        [sys.executable, built.ROOT / "tests/bench/bench.py", *arguments, *where, *how],
        check=True,
        timeout=280,
    )
    return folder / "out"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of everything."""
    folder = tmp_path_factory.mktemp("bench")
    return run(folder, built.make_models(folder), "--only", *WORKS)


def test_every_piece_of_work_was_measured(output: Path) -> None:
    content = json.loads((output / "bench.json").read_text(encoding="utf-8"))
    seconds = {
        name: part["results"]["engine"]["samples"]
        for name, part in content["parts"].items()
        if part["unit"] == "s"
    }
    assert set(seconds) == {
        *("text", "prior", "unet-64", "decode-64", "encode-64"),
        *("load", "start", "start-from-text", "start-prepared", "start-prepared-from-text"),
        "image",
    }
    for name, samples in seconds.items():
        assert samples, name
        assert all(0 < sample < 60 for sample in samples), name
    # An image has 20 UNet steps, and the prior's 25.
    assert seconds["image"][0] > 10 * min(seconds["unet-64"])
    assert content["parts"]["unet-64"]["rate"] > 1e9
    (peak,) = content["parts"]["memory"]["results"]["engine"]["samples"]
    assert 0.1 < peak < 3
    assert content["versions"]["engine"]["precision"] in ("fp32", "bf16")


def test_the_tables_are_written(output: Path) -> None:
    text = (output / "bench.md").read_text(encoding="utf-8")
    assert "| UNet, one guided step, 64 px |" in text
    assert "diffusers" not in text


def test_kandinsky_2_2(tmp_path: Path) -> None:
    """Known by its folder, as are the works that it has by default."""
    model = built.make_kandinsky_2_2(tmp_path) / built.MODEL_2_2
    output = run(tmp_path, model)
    content = json.loads((output / "bench.json").read_text(encoding="utf-8"))
    assert content["family"] == "2.2"
    samples = {
        name: part["results"]["engine"]["samples"] for name, part in content["parts"].items()
    }
    memory = ("memory", "memory-batch-4", "memory-one-stage", "memory-streamed")
    assert set(samples) == {"text", "prior", "unet-64", *memory}
    for name in ("text", "prior", "unet-64"):
        assert all(0 < sample < 60 for sample in samples[name]), name
    assert all(0.1 < sample < 3 for name in memory for sample in samples[name])
    text = (output / "bench.md").read_text(encoding="utf-8")
    assert "Kandinsky 2.2, model tiny-2-2-decoder" in text
