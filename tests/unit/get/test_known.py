"""The table: every file is one that the engine reads, and a name that cannot leave its folder."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

import pytest
from kandinsky_get import known

from .conftest import ROOT

PARTS = [part for model in known.MODELS for part in model.parts]
FILES = [file for part in PARTS for file in part.files]


def test_names_cannot_leave_their_folder():
    for file in FILES:
        path = PurePosixPath(file.path)
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)?", file.path)
        assert not path.is_absolute()
        assert ".." not in path.parts
    for part in PARTS:
        assert re.fullmatch(r"kandinsky-community/kandinsky-[\w-]+", part.repository)


def test_no_pickle_is_ever_downloaded():
    suffixes = {PurePosixPath(file.path).suffix for file in FILES}
    assert suffixes == {".safetensors", ".json", ".txt", ".model"}
    # The tokenizer's, which is no network.
    models = [file.path for file in FILES if file.path.endswith(".model")]
    assert models == ["tokenizer/sentencepiece.bpe.model"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.folder}@{part.revision[:7]}")
def test_hashes_and_sizes_come_with_a_revision(part):
    assert re.fullmatch(r"main|[0-9a-f]{40}", part.revision)
    for file in part.files:
        assert re.fullmatch(r"|[0-9a-f]{64}", file.sha256)
        if file.sha256 or file.size is not None:
            assert part.revision != known.MAIN
            assert file.size
    assert (part.estimate > 0) == (part.revision == known.MAIN)
    assert len({file.path for file in part.files}) == len(part.files)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.folder)
def test_the_index_is_last(part):
    paths = [file.path for file in part.files]
    if known.INDEX in paths:
        assert paths[-1] == known.INDEX


def test_2_1_has_the_files_of_the_full_size_configs():
    """Those that the parity of whole models is built on."""
    configs = ROOT / "tests" / "support" / "configs"
    for part in known.model("2.1").parts:
        folder = configs / part.folder
        wanted = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
        assert wanted <= {file.path for file in part.files}


@pytest.mark.parametrize(
    ("demo", "name", "at"),
    [("kandinsky-demo", "2.1", 0), ("kandinsky-demo-prior", "2.1", 1)],
)
def test_2_1_has_the_files_of_the_demo_model(demo, name, at):
    folder = ROOT / "demo" / "model" / demo
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = {file.path for file in known.model(name).parts[at].files}
    # tokenizer.json is what other programs read instead; the engine may have made the other one.
    assert there - listed <= {"tokenizer/tokenizer.json", "zero_image_embeds.safetensors"}
    assert listed <= there


def test_demo_models_are_shipped_with_what_is_said_of_them():
    for folder, demo in known.DEMOS.items():
        path = ROOT / "demo" / "model" / folder
        unet = json.loads((path / "unet" / "config.json").read_text())
        assert 8 * unet["sample_size"] == demo.native_size
        is_2_2 = json.loads((path / known.INDEX).read_text())["_class_name"].count("V22")
        assert demo.family == ("kandinsky-2-2" if is_2_2 else "kandinsky-2-1")


def test_sizes():
    size, is_exact = known.size(known.model("2.2"))
    assert 15.8e9 < size < 15.9e9
    assert is_exact
    size, is_exact = known.size(known.model("2.1"))
    assert 13.2e9 < size < 13.3e9
    assert not is_exact


def test_what_the_engine_cannot_generate_with_is_said():
    assert known.unusable(known.model("2.1"), ("kandinsky-2-1",)) == ""
    assert known.unusable(known.model("2.2"), ("kandinsky-2-1",)) == (
        "this version supports only 2.1"
    )
    assert known.unusable(known.model("2.2"), ("kandinsky-2-1", "kandinsky-2-2")) == ""


def test_what_a_folder_is():
    assert known.of_folder("kandinsky-2-1").name == "2.1"
    assert known.of_folder("kandinsky-demo") is known.DEMO
    assert known.of_folder("kandinsky-demo-2-2-depth").family == "kandinsky-2-2"
    assert known.of_folder("mine") is None
    assert known.model("2.3") is None
