"""The README's examples and the demo, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str, language: str) -> str:
    """The first code block of that language under a heading of the README."""
    body = re.split(rf"(?m)^## {title}$", README)[1].split("\n## ")[0]
    block = re.search(rf"(?ms)^```{language}\n(.*?)^```", body)
    assert block, f"README: no {language} block under {title}"
    return block.group(1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Looks like the repository after `make build`, for programs that write into it."""
    for name in ("build", "demo"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_command_line_examples(place: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", section("Command line", "sh")],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(place / "circle.png") as image:
        assert image.size == (128, 128)
        assert "a red circle on a white background" in image.info["parameters"]
    assert len(list((place / "squares").glob("*.png"))) == 3
    assert "UNet2DConditionModel" in done.stdout
    assert "txt2img" in done.stdout


def test_batch_example(place: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", section("More than one image", "sh")],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(
        f"images/{path.name}" for path in (place / "images").glob("*.png")
    )
    with Image.open(place / "images/square.png") as image:
        assert image.size == (128, 128)


def test_python_example(place: Path) -> None:
    program = place / "example.py"
    program.write_text(section("Python", "python"), encoding="utf-8")
    before = set(place.iterdir())
    done = subprocess.run(
        [sys.executable, program],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT / "build/python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = {path.name for path in set(place.iterdir()) - before}
    assert written
    for name in written:
        with Image.open(place / name) as image:
            assert image.size == (128, 128)
            assert image.getextrema() != ((0, 0),) * 3


def test_the_demo_generates_a_contact_sheet(tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    prompts = ["a red circle", "синий квадрат"]
    done = subprocess.run(
        [sys.executable, "demo/generate.py", "--steps", "2", "--output", str(sheet), *prompts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The model is at its best at 128 x 128 pixels")
    assert [line.split("  ")[-1] for line in lines[1:3]] == prompts
    assert lines[-1] == f"The contact sheet is at {sheet}"
    with Image.open(sheet) as image:
        assert image.width > 2 * 256
        assert len(image.convert("RGB").getcolors(1 << 20)) > 1000


def test_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "demo/generate.py", "--model", str(tmp_path / "nowhere")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
