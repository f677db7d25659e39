"""Planned peak memory beside the measured one.

The networks are tiny, except for a MoVQ of full size: decoding takes nearly all of the memory, and
much more than the program itself. `make bench` compares whole models of full size.
"""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import built, tiny_model

FULL_SIZE = "kandinsky-2-1"
PLAN = """
import sys
sys.path.insert(0, sys.argv[1])
import kandinsky_engine
with kandinsky_engine.Engine(sys.argv[2], max_memory=50 * 10**9) as engine:
    size, images = map(int, sys.argv[3:])
    print(engine.plan_memory(width=size, height=size, batch_size=images).peak)
"""
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = built.make_models(tmp_path_factory.mktemp("models"))
    shutil.rmtree(model / "movq")
    shutil.copytree(tiny_model.CONFIGS / FULL_SIZE / "movq", model / "movq")
    random = np.random.default_rng(1)
    tensors = {
        name: random.standard_normal(shape, np.float32) / math.sqrt(math.prod(shape[1:]))
        for name, shape in tiny_model.tensor_list(FULL_SIZE, "movq")
    }
    tiny_model.write_component(model / "movq", tensors, tiny_model.Layout(dtype="fp16"))
    return model


def on_threads(count: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": f"{count}"}


def peak_of(threads: int, *arguments: str | Path) -> int:
    """The most bytes that the command line held at once."""
    # A small process starts it: Linux counts what its parent held before as its own.
    done = subprocess.run(
        [sys.executable, "-c", PEAK, built.PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=on_threads(threads),
    )
    return int(done.stdout) * 1024


def planned_peak(threads: int, model: Path, size: int, images: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PLAN, built.PYTHON_DIR, model, str(size), str(images)],
        capture_output=True,
        text=True,
        check=True,
        env=on_threads(threads),
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    ("threads", "size", "images"),
    [
        (2, 512, 1),
        (2, 768, 1),
        (2, 512, 2),  # both at once
        (1, 512, 3),  # one after another
    ],
)
def test_a_planned_peak_is_the_measured_one(
    model: Path, tmp_path: Path, threads: int, size: int, images: int
) -> None:
    limit = ("--max-memory", "50GB")
    side = ("--width", f"{size}", "--height", f"{size}")
    batch = ("--batch-size", f"{images}", "--seed", "1")
    # The embedding of the zero image, which a model's first image computes, is not planned.
    tiny = ("--width", "64", "--height", "64", "--steps", "1", "--prior-steps", "2")
    first = f"{tmp_path}/first/"
    peak_of(threads, "txt2img", "--model", model, "--prompt=x", *tiny, "--output", first)
    steps = ("--steps", "1", "--prior-steps", "2", "--output", f"{tmp_path}/out/")
    command = ("txt2img", "--model", model, "--prompt=x", *side, *batch, *limit, *steps)
    planned = planned_peak(threads, model, size, images)
    measured = 0
    # Images at once have peaks of their own, which do not coincide in every run.
    for _ in range(5 if images > 1 and threads > 1 else 1):
        measured = max(measured, peak_of(threads, *command))
        if planned <= measured * 1.05:
            break
    assert planned == pytest.approx(measured, rel=0.05)
