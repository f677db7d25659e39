"""Every layout in which the hub keeps the same weights gives the same image, within rounding."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import checkpoints
from support.built import MODEL

from kandinsky_engine import Engine

MAKER = Path(__file__).parents[1] / "support" / "tiny_model.py"


def generate(folder: Path, *options: str) -> np.ndarray:
    """Writes the tiny models in a layout and generates with them: uint8 [1, 64, 64, 3]."""
    subprocess.run([sys.executable, MAKER, folder, *options], check=True, capture_output=True)
    return generate_with(folder)


def generate_with(folder: Path) -> np.ndarray:
    with Engine(str(folder / MODEL), device="cpu", precision="fp32") as engine:
        return engine.text_to_image(
            ["a red cat"],
            seeds=[5],
            width=64,
            height=64,
            num_inference_steps=2,
            prior_num_inference_steps=2,
        )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return generate(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "options",
    [
        ("--shards", "3"),
        ("--variant", "fp16"),
        ("--variant", "fp16", "--shards", "2"),
        ("--legacy-attention",),
        ("--position-ids",),
        ("--no-pooler",),
    ],
    ids=" ".join,
)
def test_layout_changes_nothing(
    plain: np.ndarray, options: tuple[str, ...], tmp_path: Path
) -> None:
    # Weights are used where they lie in the file, and kernels round by how they are aligned there.
    assert np.abs(generate(tmp_path, *options).astype(int) - plain).max() <= 1


@pytest.mark.parametrize("form", ["archive", "legacy", "sharded"])
def test_pytorchs_files_serve_where_there_are_no_others(
    plain: np.ndarray, form: str, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, MAKER, tmp_path], check=True, capture_output=True)
    for path in tmp_path.glob("*/*/*.safetensors"):
        tensors = checkpoints.load(path)
        stem = path.stem if path.stem.startswith("diffusion") else "pytorch_model"
        path.unlink()
        if form != "sharded":
            checkpoints.save(path.with_name(f"{stem}.bin"), tensors, legacy=form == "legacy")
            continue
        names = sorted(tensors)
        parts = {f"{stem}-1.bin": names[::2], f"{stem}-2.bin": names[1::2]}
        for file, part in parts.items():
            checkpoints.save(path.with_name(file), {name: tensors[name] for name in part})
        weight_map = {name: file for file, part in parts.items() for name in part}
        index = path.with_name(f"{stem}.bin.index.json")
        index.write_text(json.dumps({"weight_map": weight_map}))
    assert np.abs(generate_with(tmp_path).astype(int) - plain).max() <= 1


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_weights_of_half_precision_come_close(
    plain: np.ndarray, dtype: str, tmp_path: Path
) -> None:
    generated = generate(tmp_path, "--dtype", dtype)
    assert not np.array_equal(generated, plain)
    assert np.abs(generated.astype(int) - plain).mean() < 4
