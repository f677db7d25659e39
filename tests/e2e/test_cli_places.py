"""Where the command line's images go: long names, odd names, and several runs at once."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.built import MODEL, NATIVE_SIZE, PRIOR, PROGRAM, run_program

INVALID, NOT_FOUND, IO = 2, 3, 11
FEW = ("--steps=2", "--prior-steps=2", "--seed=1", "--precision=fp32", "--prompt=a red circle")


@pytest.mark.parametrize(
    "name",
    [
        "界" * 82 + ".png",
        *("a" * (length - 4) + ".png" for length in (240, 250, 255)),
        "я" * 125 + ".webp",
    ],
)
def test_long_names_are_saved(model: Path, tmp_path: Path, name: str) -> None:
    done = run_program("txt2img", "--model", model, "--output", tmp_path / name, *FEW)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with Image.open(tmp_path / name) as image:
        assert image.size == (NATIVE_SIZE, NATIVE_SIZE)


def test_runs_at_once_do_not_overwrite_each_other(model: Path, tmp_path: Path) -> None:
    """Many small images, into a folder that takes long to look through."""
    for i in range(5000):
        (tmp_path / f"{i}.txt").touch()
    words = ("txt2img", "--model", model, "--output", tmp_path, *FEW, "--quiet")
    words = (*words, "--batch-size=16", "--width=8", "--height=8")
    runs = [
        subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    printed = []
    for run in runs:
        printed += run.communicate(timeout=120)[0].splitlines()
        assert run.returncode == 0
    files = sorted(tmp_path.glob("*.png"))
    assert sorted(printed) == [str(path) for path in files]
    assert [path.name[:5] for path in files] == [f"{number:05}" for number in range(48)]
    for path in files:
        with Image.open(path) as image:
            image.load()


def test_a_folder_that_vanishes_during_the_work_is_made_again(model: Path, tmp_path: Path) -> None:
    """As a run that was stopped removes the empty one that it shared with another."""
    process = subprocess.Popen(
        [PROGRAM, "txt2img", "--model", model, "--output", f"{tmp_path}/a/b/", *FEW],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("kandinsky: seed"):
            break
    shutil.rmtree(tmp_path / "a")
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 0, rest
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["00000-1.png"]


def test_numbers_go_on_whatever_lies_there(model: Path, tmp_path: Path) -> None:
    for name in ("00041-7.png", "9223372036854775807-1.png", "00050", "notes-1.txt", "7-1.png"):
        (tmp_path / name).write_text("")
    done = run_program("txt2img", "--model", model, "--output", tmp_path, *FEW, "--quiet")
    assert done.stdout == f"{tmp_path}/00042-1.png\n"


def test_embeds_and_image_need_two_names(tmp_path: Path) -> None:
    words = ("txt2img", "--model", "/no-such", "--prompt=a", "--output", tmp_path / "a.png")
    done = run_program(*words, "--save-embeds", tmp_path / "a.png")
    assert done.returncode == INVALID
    assert "--output has the same name" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become another user")
def test_a_write_protected_file_is_told_before_the_work(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "x.png").write_text("kept")
    (folder / "x.png").chmod(0o444)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)
    done = subprocess.run(
        [PROGRAM, "txt2img", "--model=/no-such", "--prompt=a", "--output", folder / "x.png"],
        capture_output=True,
        text=True,
        check=False,
        user=65534,
    )
    assert done.returncode == IO, done.stderr
    assert f"--output {folder / 'x.png'}: cannot be written: Permission denied" in done.stderr
    assert (folder / "x.png").read_text() == "kept"


def test_names_that_are_not_utf8(inpaint_model: Path, tmp_path: Path) -> None:
    """Linux's names are bytes. In a PNG's text each odd one is U+FFFD."""
    folder = os.fsencode(tmp_path)
    for name in (MODEL, PRIOR):
        shutil.copytree(
            inpaint_model.with_name(name),
            os.fsdecode(folder + b"/m\xff" + name.removeprefix(MODEL).encode()),
            copy_function=os.link,
        )
    white = np.full((NATIVE_SIZE, NATIVE_SIZE), 255, np.uint8)
    Image.fromarray(white).convert("RGB").save(os.fsdecode(folder + b"/i\xfe.png"))
    Image.fromarray(white).save(os.fsdecode(folder + b"/k\xc0.png"))
    done = run_program(
        *("inpaint", "--model", folder + b"/m\xff", "--image", folder + b"/i\xfe.png"),
        *("--mask", folder + b"/k\xc0.png", "--output", folder + b"/o\x80.png", *FEW),
        *("--save-embeds", folder + b"/e\x80.safetensors"),
    )
    assert done.returncode == 0, done.stderr
    assert os.fsencode(done.stdout) == folder + b"/e\x80.safetensors\n" + folder + b"/o\x80.png\n"
    with Image.open(os.fsdecode(folder + b"/o\x80.png")) as image:
        assert ", Model: m\ufffd, " in image.info["parameters"]
    done = run_program(
        *("mix", "--model", folder + b"/m\xff", "--image", folder + b"/i\xfe.png"),
        *("--embeds", folder + b"/e\x80.safetensors", "--output", folder + b"/out\xff/"),
        *FEW,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(os.fsdecode(folder + b"/out\xff/00000-1.png")) as image:
        text = image.info["parameters"]
    assert ", Kandinsky mix items: 1 i\ufffd.png + 1 e\ufffd.safetensors, " in text
    assert run_program("info", folder + b"/m\xff").returncode == 0
    missing = run_program("info", folder + b"/n\xff")
    assert missing.returncode == NOT_FOUND
    assert os.fsencode(missing.stderr).startswith(b"kandinsky: " + folder + b"/n\xff")
