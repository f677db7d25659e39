"""`kandinsky_engine.ray` on a real cluster, a short form of `make ray`."""

import subprocess

from support.built import ROOT


def test_whatever_is_killed_each_image_is_there_once() -> None:
    done = subprocess.run(
        [
            *(ROOT / "tests/tools/with_requirements.sh", ".venv-ray"),
            *("tests/ray/requirements.txt", "tests/ray/check_ray.py", "--images", "24"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 24 images are those of kandinsky batch" in done.stdout
