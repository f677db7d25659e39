"""The command line with too little memory: whatever fails first, it says that memory ran out."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support.built import PROGRAM

OUT_OF_MEMORY = 6
NOT_LOADED = 127  # the dynamic loader's own
MEGABYTE = 1_000_000
"""Every tenth is tried, and more where LibTorch barely loads; `range(300, 2010, 10)` tries all."""


@pytest.mark.parametrize("limit", [*range(300, 700, 20), *range(700, 2010, 100)])
def test_too_little_memory_is_told(model: Path, tmp_path: Path, limit: int) -> None:
    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit * MEGABYTE, limit * MEGABYTE))

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
    if done.returncode == NOT_LOADED:
        assert "error while loading shared libraries: " in done.stderr
        pytest.skip(f"LibTorch itself cannot be loaded within {limit} MB")
    assert done.returncode in {0, OUT_OF_MEMORY}, done.stderr
    if done.returncode != 0:
        assert list(tmp_path.iterdir()) == []
        assert re.search("memory|address space", done.stderr.splitlines()[-1])


def test_images_that_are_refused_have_used_no_memory(model: Path, tmp_path: Path) -> None:
    source = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], check=False).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""
    side, count = 8192, 8  # 1.6 GB
    done = subprocess.run(
        [
            *(sys.executable, "-c", source, PROGRAM, "txt2img", "--model", model, "--prompt=x"),
            *(f"--width={side}", f"--height={side}", f"--batch-size={count}", "--max-memory=1GB"),
            *("--output", f"{tmp_path}/out/"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == OUT_OF_MEMORY, done.stderr
    assert "this needs" in done.stderr
    assert int(done.stdout) < side * side * 3 * count
