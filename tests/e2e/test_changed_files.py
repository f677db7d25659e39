"""Weight files that are changed while an engine is open on them: no crash, no other image."""

import json
import shutil
from pathlib import Path

import pytest
from support.broken_models import WEIGHTS
from support.built import run_program
from support.children import run_python

CHANGES = ("cut", "write")

# when: "before" the first job, "between" two, or "during" the first, as the text encoders run.
SCRIPT = """
import json, os, sys
from pathlib import Path

import numpy as np

import kandinsky_engine as kandinsky

model, when, change, path, length, max_memory = json.loads(sys.argv[1])


def generate(engine):
    return engine.text_to_image(
        ["a"], seeds=[1], width=64, height=64, num_inference_steps=2, prior_num_inference_steps=2
    )


def spoil():
    file = Path(model, path)
    if change == "write":
        with file.open("r+b") as stream:
            stream.seek(length)
            stream.write(bytes(1000))
    else:
        os.truncate(file, length)


def on_progress(progress):
    if when == "during" and (progress.stage, progress.step) == ("text_encoder", 1):
        spoil()


messages = []
with kandinsky.Engine(model, precision="fp32", max_memory=max_memory) as engine:
    engine.on_message = messages.append
    engine.on_progress = on_progress
    before = generate(engine) if when == "between" else None
    if when != "during":
        spoil()
    try:
        after = generate(engine)
    except kandinsky.KandinskyError as error:
        outcome = f"{type(error).__name__} {error}"
    else:
        outcome = "the same" if before is not None and np.array_equal(before, after) else "another"
print(json.dumps([outcome, messages]))
"""


def outcome(
    folder: Path, model: Path, when: str, change: str, path: str, length: int, max_memory: int = 0
) -> tuple[str, list[str]]:
    """How the job after the change ends, and what the engine said. The model is copied, since it is
    written to.
    """
    folder.mkdir()
    for source in (model, model.with_name(f"{model.name}-prior")):
        shutil.copytree(source, folder / source.name)
    if "image_encoder" in path:  # which is used once, for what is kept in this file
        (folder / f"{model.name}-prior/zero_image_embeds.safetensors").unlink(missing_ok=True)
    arguments = [str(folder / model.name), when, change, path, length, max_memory]
    told, messages = json.loads(run_python(SCRIPT, json.dumps(arguments)))
    return told, messages


def expect_refused(told: str, path: str) -> None:
    assert told.startswith("CorruptFileError "), told
    assert f"{Path(path).parent.name}/{Path(path).name}: " in told
    assert "while it is in use" in told


@pytest.mark.parametrize("path", WEIGHTS)
def test_between_two_jobs(model: Path, tmp_path: Path, path: str) -> None:
    """What is in memory is not read again."""
    # Of the file's header; its data begins later.
    for length in (0, 1000, 30_000):
        if length < (model / path).stat().st_size:
            told, _ = outcome(tmp_path / str(length), model, "between", "cut", path, length)
            assert told == "the same", told


@pytest.mark.parametrize("path", WEIGHTS)
@pytest.mark.parametrize("change", CHANGES)
def test_before_the_first_job(model: Path, tmp_path: Path, path: str, change: str) -> None:
    told, _ = outcome(tmp_path / "x", model, "before", change, path, 30_000)
    expect_refused(told, path)


@pytest.mark.parametrize("path", [path for path in WEIGHTS if "text_encoder/" in path])
@pytest.mark.parametrize("change", CHANGES)
def test_while_layers_are_streamed(model: Path, tmp_path: Path, path: str, change: str) -> None:
    """In the least memory, the tiny model's text encoders read their layers from the file for each
    text.
    """
    done = run_program("info", model, "--json", "--max-memory", "9GB", "--precision", "fp32")
    least = int(json.loads(done.stdout)["memory"]["least"])
    told, messages = outcome(tmp_path / "x", model, "during", change, path, 30_000, least)
    assert "layer by layer" in messages[0]
    expect_refused(told, path)
