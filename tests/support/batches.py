"""Files of requests, and `kandinsky batch` run on them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from support.built import NATIVE_SIZE, run_program

FEW = {"num_inference_steps": 2, "prior_num_inference_steps": 2}
# One thread, since other programs may work beside the tests.
ONE, TWO = "--threads=1", "--threads=2"
EXACT = "--precision=fp32"

Row = Mapping[str, object]


def write(path: Path, *rows: Row | str) -> Path:
    lines = (row if isinstance(row, str) else json.dumps({**FEW, **row}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def batch(jobs: Path, model: Path, output: Path, *options: str | Path) -> tuple[int, str]:
    """The exit code, and what was said."""
    threads = () if TWO in options else (ONE,)
    done = run_program(
        "batch", jobs, "--model", model, "--output", output, EXACT, *threads, *map(str, options)
    )
    return done.returncode, done.stderr


def images(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.glob("*.png")}


def save_scene(folder: Path) -> Path:
    """The folder, with an image and a mask in it."""
    pixels = np.random.default_rng(1).integers(0, 256, (NATIVE_SIZE, NATIVE_SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "image.png")
    mask = np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)
    mask[:, NATIVE_SIZE // 2 :] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder
