"""A folder tells what family it is of, and where its prior is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from families import FAMILIES, family_of


def make(folder: Path, kind: str) -> Path:
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    return folder


@pytest.mark.parametrize(
    ("kind", "name"), [("KandinskyPipeline", "2.1"), ("KandinskyV22Pipeline", "2.2")]
)
def test_the_index_decides(tmp_path: Path, kind: str, name: str) -> None:
    assert family_of(make(tmp_path / "model", kind)) is FAMILIES[name]


@pytest.mark.parametrize("kind", ["KandinskyV22PriorPipeline", "KandinskyV22ControlnetPipeline"])
def test_what_is_no_decoder_that_texts_suffice_for(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SystemExit, match=f"model is no folder of a decoder .*, but of {kind}"):
        family_of(make(tmp_path / "model", kind))


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_what_is_no_model(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(SystemExit, match="is no folder of a decoder"):
        family_of(tmp_path)
    with pytest.raises(SystemExit, match="is no folder of a decoder"):
        family_of(tmp_path / "nowhere")


def test_the_prior_is_found_by_class_then_name(tmp_path: Path) -> None:
    prior = "KandinskyV22PriorPipeline"
    model = make(tmp_path / "kandinsky-2-2-decoder", "KandinskyV22Pipeline")
    with pytest.raises(SystemExit, match=f"there is no {prior} beside .*kandinsky-2-2-decoder"):
        FAMILIES["2.2"].prior_beside(model)
    make(tmp_path / "another-prior", prior)
    make(tmp_path / "kandinsky-2-1-prior", "KandinskyPriorPipeline")
    near = make(tmp_path / "kandinsky-2-2-prior", prior)
    (tmp_path / "file").write_text("")
    assert FAMILIES["2.2"].prior_beside(model) == near
    nearer = make(tmp_path / "kandinsky-2-2-decoder-prior", prior)
    make(tmp_path / "kandinsky-2-2-decoder-prior-old", prior)
    assert FAMILIES["2.2"].prior_beside(model) == nearer
