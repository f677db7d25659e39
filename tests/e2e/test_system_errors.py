"""What the system refuses is told in its words."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.broken_models import IO
from support.built import PROGRAM, PYTHON_DIR

import kandinsky_engine as kandinsky


class TestSystemErrors:
    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        pixels = np.zeros((8, 8, 3), np.uint8)
        kandinsky.save_image(tmp_path / f"{'x' * 251}.png", pixels)
        with pytest.raises(kandinsky.IoError, match="File name too long") as caught:
            kandinsky.save_image(tmp_path / f"{'x' * 252}.png", pixels)
        assert isinstance(caught.value, OSError)
        assert [path.name for path in tmp_path.iterdir()] == [f"{'x' * 251}.png"]

    def test_too_many_open_files(self, model: Path) -> None:
        """At any limit: an error in words, or the folder."""
        script = (
            "import resource, sys\n"
            "import kandinsky_engine as kandinsky\n"
            "for files in range(40):\n"
            "    resource.setrlimit(resource.RLIMIT_NOFILE, (files, 4096))\n"
            "    try:\n"
            "        kandinsky.Engine(sys.argv[1]).close()\n"
            "        print(files, 'opened')\n"
            "    except kandinsky.IoError as error:\n"
            "        assert 'Too many open files' in str(error), error\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, model],
            env={**os.environ, "PYTHONPATH": str(PYTHON_DIR)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "39 opened" in done.stdout

    def test_output_that_cannot_be_written(self, model: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [PROGRAM, "info", model],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == IO
        assert done.stderr.startswith("kandinsky: standard output cannot be written: No space left")
