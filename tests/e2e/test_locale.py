"""What the environment says about languages changes no word and no number."""

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from support.built import PROGRAM
from support.children import run_python

TURKISH = "tr_TR.UTF-8"


@pytest.fixture(scope="module")
def turkish(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that make "I" and "i" no longer each other's case, and 1/2 0,5."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", folder / TURKISH]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"{made.stderr} (the sources of locales are in Debian's `locales`)"
    return {"LOCPATH": str(folder), "LC_ALL": TURKISH}


# A host calls setlocale(), as Python does here.
PRELUDE = f"""
import locale, os, sys, numpy
import kandinsky_engine as kandinsky
is_turkish = locale.setlocale(locale.LC_ALL, "") == "{TURKISH}"
assert locale.localeconv()["decimal_point"] == (",." if is_turkish else "..")[0]
"""


def test_numbers(model: Path, turkish: dict[str, str]) -> None:
    source = """
with kandinsky.Engine(sys.argv[1], precision="fp32") as engine:
    for sampler, scheduler in (("ddim", "automatic"), ("DPM++ 2m", "KARRAS"), ("unipc", "uniform")):
        [image] = engine.text_to_image(
            ["a (red:1.5) circle"], seeds=[1], width=64, height=64, num_inference_steps=2,
            prior_num_inference_steps=2, sampler=sampler, scheduler=scheduler)
        print(is_turkish, image.astype(int).sum())
"""
    there = run_python(PRELUDE + source, model, **turkish)
    assert "True" in there
    here = run_python(PRELUDE + source, model, LC_ALL="C")
    assert there.replace("True", "False") == here


def test_names(model: Path, turkish: dict[str, str]) -> None:
    source = """
def generate(**options):
    return engine.denoise(
        embeds, negative, seeds=[1], width=64, height=64, num_inference_steps=2, **options
    ).tobytes()
with kandinsky.Engine(sys.argv[1], precision="fp32") as engine:
    embeds, negative = engine.encode_prompts(
        ["(a:1.5) IiIi"], seeds=[1], prior_num_inference_steps=2
    )
    for name in kandinsky.samplers():
        generate(sampler=name.lower())
        generate(sampler=name.upper())
    for name in kandinsky.schedulers():
        generate(scheduler=name.lower(), sampler="Euler")
        generate(scheduler=name.upper(), sampler="Euler")
    assert generate(sampler="ddim") == generate(sampler="DDIM")
"""
    run_python(PRELUDE + source, model, OMP_NUM_THREADS="1", **turkish)


def test_messages_of_the_system(tmp_path: Path, turkish: dict[str, str]) -> None:
    source = """
if is_turkish:
    assert "File name too long" not in os.strerror(36)
try:
    kandinsky.save_image(f"{sys.argv[1]}/{'x' * 252}.png", numpy.zeros((8, 8, 3), numpy.uint8))
except kandinsky.IoError as error:
    print(error)
"""
    there = run_python(PRELUDE + source, tmp_path, **turkish)
    assert there.endswith(": File name too long\n")


def test_command_line(model: Path, tmp_path: Path, turkish: dict[str, str]) -> None:
    done = subprocess.run(
        [
            *(PROGRAM, "txt2img", "--model", model, "--output", tmp_path / "x.PNG", "--prompt=a"),
            *("--sampler=ddim", "--max-memory=2.5gib", "--cfg-scale=2.5", "--precision=fp32"),
            *("--steps=2", "--prior-steps=2", "--seed=1"),
        ],
        env={**os.environ, **turkish},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "x.PNG") as image:
        said = image.info["parameters"]
    assert "Sampler: DDIM," in said
    assert "CFG scale: 2.5," in said
