"""The demo models of Kandinsky 2.2, whose folders are partly links, generate what is asked."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.built import ROOT, run_program

import kandinsky_engine as kandinsky

MODELS = ROOT / "demo/model"
DECODER, DEPTH, PRIOR = (
    MODELS / f"kandinsky-demo-2-2{ending}" for ending in ("", "-depth", "-prior")
)
SIDE = 128


def txt2img(model: Path, output: Path, *options: str | Path) -> np.ndarray:
    done = run_program(
        *("txt2img", "--model", model, "--prompt", "a red circle on a white background"),
        *("--seed=1", "--steps=10", "--prior-steps=10", "--quiet", "--output", output, *options),
    )
    assert done.returncode == 0, done.stderr
    with Image.open(output) as image:
        assert image.size == (SIDE, SIDE)
        return np.asarray(image.convert("RGB")).astype(int)


def depth_map(path: Path, left: int) -> Path:
    """A circle of 40 pixels across, as a person may paint it."""
    image = Image.new("L", (SIDE, SIDE), 20)
    ImageDraw.Draw(image).ellipse((left, 44, left + 40, 84), fill=200)
    image.save(path)
    return path


def redness(pixels: np.ndarray, left: int) -> float:
    """How much redder than green the middle of such a circle is."""
    part = pixels[54:74, left + 10 : left + 30]
    return float((part[..., 0] - part[..., 1]).mean())


def test_text_alone(tmp_path: Path) -> None:
    pixels = txt2img(DECODER, tmp_path / "out.png")
    assert redness(pixels, 44) > 100
    assert pixels[:8, :8].min() > 200


def test_a_depth_map_says_where(tmp_path: Path) -> None:
    images = {
        left: txt2img(DEPTH, tmp_path / "out.png", "--hint", depth_map(tmp_path / "hint.png", left))
        for left in (10, 78)
    }
    for left, other in ((10, 78), (78, 10)):
        assert redness(images[left], left) > 100
        assert redness(images[left], other) < 30


@pytest.mark.parametrize(
    ("folder", "role"), [(DECODER, "model"), (DEPTH, "hint"), (PRIOR, "prior")]
)
def test_info(folder: Path, role: str) -> None:
    described = json.loads(run_program("info", folder, "--json").stdout)
    assert (described["family"], described["role"]) == ("kandinsky-2-2", role)
    assert all(component["checked"] for component in described["components"])


def test_both_have_their_own_prior_and_no_inpainting_model() -> None:
    for folder in (DECODER, DEPTH):
        with kandinsky.Engine(folder) as engine:
            assert engine.info.prior_dir == str(PRIOR)
            assert engine.info.inpaint_dir == ""
            assert engine.info.native_size == SIDE


def test_2_1_keeps_its_companions() -> None:
    with kandinsky.Engine(MODELS / "kandinsky-demo") as engine:
        assert engine.info.prior_dir == str(MODELS / "kandinsky-demo-prior")
        assert engine.info.inpaint_dir == str(MODELS / "kandinsky-demo-inpaint")


def test_what_is_added_is_small() -> None:
    """At most 16 MB; links take none."""
    files = [path for folder in (DECODER, DEPTH, PRIOR) for path in folder.rglob("*")]
    assert sum(path.lstat().st_size for path in files if path.is_file()) < 16e6
