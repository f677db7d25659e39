"""Every layout in which the hub keeps the same weights gives the same image, within rounding."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.built import MODEL

from kandinsky_engine import Engine

MAKER = Path(__file__).parents[1] / "support" / "tiny_model.py"


def generate(folder: Path, *options: str) -> np.ndarray:
    """Writes the tiny models in a layout and generates with them: uint8 [1, 64, 64, 3]."""
    subprocess.run([sys.executable, MAKER, folder, *options], check=True, capture_output=True)
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


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_weights_of_half_precision_come_close(
    plain: np.ndarray, dtype: str, tmp_path: Path
) -> None:
    generated = generate(tmp_path, "--dtype", dtype)
    assert not np.array_equal(generated, plain)
    assert np.abs(generated.astype(int) - plain).mean() < 4
