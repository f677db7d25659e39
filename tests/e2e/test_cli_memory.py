"""The command line under `ulimit -v`: whatever fails first, it is told as memory that ran out."""

import resource
import subprocess
from pathlib import Path

import pytest
from support.built import PROGRAM

OUT_OF_MEMORY = 6
MEGABYTE = 1_000_000
"""Every tenth is tried; `for limit in range(300, 2010, 10)` tries all."""


@pytest.mark.parametrize("limit", range(300, 2010, 100))
def test_too_little_memory_is_told(model: Path, tmp_path: Path, limit: int) -> None:
    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit * MEGABYTE, limit * MEGABYTE))

    # Before main, the dynamic loader and LibTorch's own start have to fit.
    start = subprocess.run(
        [PROGRAM, "--version"], capture_output=True, check=False, preexec_fn=set_limit
    )
    if start.returncode != 0:
        pytest.skip(f"LibTorch itself does not start within {limit} MB")
    done = subprocess.run(
        [
            *(PROGRAM, "txt2img", "--model", model, "--output", f"{tmp_path}/out/", "--prompt=x"),
            *("--width=64", "--height=64", "--steps=2", "--prior-steps=2"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=set_limit,
    )
    assert done.returncode in {0, OUT_OF_MEMORY}, done.stderr
    if done.returncode != 0:
        assert list(tmp_path.iterdir()) == []
