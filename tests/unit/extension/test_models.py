"""Which folders are models and what they are called."""

import argparse
import json
import runpy
from pathlib import Path

import pytest

INDEX = {"_class_name": "KandinskyPipeline", "unet": [], "movq": [], "text_encoder": []}


@pytest.fixture
def models(host):
    return host.ext("models")


def make(folder, content=INDEX):
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    return folder


def names(models, *roots):
    return [model.name for model in models.find(roots)]


def test_what_can_generate_is_listed(models, tmp_path):
    make(tmp_path / "b")
    make(tmp_path / "a")
    make(tmp_path / "a-prior", {"_class_name": "KandinskyPriorPipeline", "prior": []})
    make(tmp_path / "fill", {**INDEX, "role": "inpaint"})
    make(tmp_path / "newer", {"_class_name": "KandinskyV22Pipeline", "unet": [], "movq": []})
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    assert names(models, tmp_path) == ["a", "b"]
    assert models.names([tmp_path]) == ["Automatic", "a", "b"]


def test_without_an_engine_to_ask_every_folder_with_an_index_is_listed(bare_host, tmp_path):
    make(tmp_path / "a")
    make(tmp_path / "prior", {"_class_name": "KandinskyPriorPipeline"})
    (tmp_path / "empty").mkdir()
    assert names(bare_host.ext("models"), tmp_path) == ["a", "prior"]


@pytest.mark.parametrize(
    "content", ["{", "[]", "\x00", "[" * 100_000, '{"unet": "' + "x" * (2 << 20)], ids=range(5)
)
def test_a_folder_with_a_broken_index_is_listed_for_the_engine_to_explain(
    models, tmp_path, content
):
    make(tmp_path / "odd", content)
    assert names(models, tmp_path) == ["odd"]


def test_the_first_root_is_first_and_may_be_a_model(models, tmp_path):
    one, other = make(tmp_path / "one" / "z"), make(tmp_path / "other" / "a")
    assert names(models, one, other.parent) == ["z", "a"]
    assert models.choose("Automatic", [one, other.parent]).folder == one


def test_equal_names_are_told_apart(models, tmp_path):
    make(tmp_path / "one" / "m")
    make(tmp_path / "two" / "m")
    make(tmp_path / "three" / "Automatic")
    found = names(models, *(tmp_path / name for name in ("one", "two", "three")))
    assert found == ["m", "m (two)", "Automatic (three)"]


def test_a_folder_reached_twice_is_listed_once(models, tmp_path):
    make(tmp_path / "m")
    (tmp_path / "link").symlink_to(tmp_path / "m")
    assert len(names(models, tmp_path, tmp_path)) == 1


def test_missing_roots_are_fine(models, tmp_path):
    assert names(models, tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["../m", "/", "", "M"])
def test_only_listed_names_are_accepted(models, tmp_path, name, bare_host):
    make(tmp_path / "root" / "m")
    with pytest.raises(bare_host.ext("errors").UserError, match="There are: m"):
        models.choose(name, [tmp_path / "root"])


def test_the_hosts_folders(bare_host, tmp_path):
    tools = bare_host.ext("host.tools")
    assert tools.model_roots() == [
        bare_host.models / "Kandinsky",
        bare_host.models / "Diffusers",
        tmp_path.parent / "kubin" / "models",
        tmp_path / "hub",
        tools.DEMO_FOLDER,
    ]
    bare_host.shared.cmd_opts.kandinsky_dir = str(tmp_path / "mine")
    assert tools.model_roots()[0] == tmp_path / "mine"
    bare_host.shared.cmd_opts.kandinsky_dir = "~/mine"
    assert tools.model_roots()[0] == Path.home() / "mine"


def test_the_hosts_folder_may_lie_at_the_top(bare_host):
    bare_host.paths_internal.models_path = "/models"
    assert Path("/kubin/models") in bare_host.ext("host.tools").model_roots()


def test_the_flag(bare_host):
    parser = argparse.ArgumentParser()
    runpy.run_path(str(Path(__file__).parents[3] / "preload.py"))["preload"](parser)
    assert parser.parse_args([]).kandinsky_dir is None
    assert parser.parse_args(["--kandinsky-dir", "x"]).kandinsky_dir == "x"


def cached(root, name, *components, index=INDEX):
    """A model in the hub's layout, its weights links."""
    top = root / f"models--kandinsky-community--{name}"
    folder = make(top / "snapshots" / ("a" * 40), index)
    (top / "blobs").mkdir()
    for component in components:
        (folder / component).mkdir()
        (top / "blobs" / component).write_text("weights")
        (folder / component / "w.safetensors").symlink_to(f"../../../blobs/{component}")
    return folder


PRIOR = {"_class_name": "KandinskyPriorPipeline", "prior": []}
INPAINT = {**INDEX, "role": "inpaint"}


def test_what_other_programs_have_downloaded_is_used_in_place(models, tmp_path):
    folder = cached(tmp_path, "kandinsky-2-1", "unet", "movq", "text_encoder")
    cached(tmp_path, "kandinsky-2-1-prior", "prior", "text_encoder", "image_encoder", index=PRIOR)
    cached(tmp_path, "kandinsky-2-1-inpaint", "unet", index=INPAINT)
    assert models.find([tmp_path]) == [models.Model("kandinsky-2-1", folder, "kandinsky-2-1")]


def test_halves_in_a_cache_are_left_out(models, tmp_path):
    cached(tmp_path, "kandinsky-2-1", "unet", "movq")
    cached(tmp_path, "kandinsky-2-1-prior", "prior", index=PRIOR)
    broken = cached(tmp_path, "other", "unet", "movq", "text_encoder")
    (broken.parents[1] / "blobs" / "movq").unlink()
    mine = make(tmp_path / "mine" / "kandinsky-2-1")
    assert models.find([tmp_path, tmp_path / "mine"]) == [
        models.Model("kandinsky-2-1", mine, "kandinsky-2-1")
    ]


def test_without_an_engine_other_models_of_a_cache_are_left_out(bare_host, tmp_path):
    cached(tmp_path, "sd", "unet", "text_encoder", index={"unet": [], "text_encoder": []})
    cached(tmp_path, "kandinsky-2-1", "unet", "movq", "text_encoder")
    cached(tmp_path, "kandinsky-2-1-prior", "prior", "text_encoder", "image_encoder", index=PRIOR)
    assert names(bare_host.ext("models"), tmp_path) == ["kandinsky-2-1"]


def test_equal_names_of_a_cache_are_told_apart(models, tmp_path):
    make(tmp_path / "mine" / "kandinsky-2-1")
    cached(tmp_path / "hub", "kandinsky-2-1", "unet", "movq", "text_encoder")
    assert names(models, tmp_path / "mine", tmp_path / "hub") == [
        "kandinsky-2-1",
        "kandinsky-2-1 (hub)",
    ]


def test_companions_may_lie_wherever_models_are_looked_for(models, tmp_path):
    alone = make(tmp_path / "others" / "mine")
    roots = [tmp_path / "hub", alone, tmp_path / "\udcff", tmp_path / "hub"]
    assert models.places(roots) == (str(tmp_path / "hub"), str(tmp_path / "others"))


def test_a_run_names_these_folders_to_the_engine(host):
    opened = []
    real = host.engine.Engine.__init__

    def init(self, *args, **named):
        opened.append(named)
        real(self, *args, **named)

    host.engine.Engine.__init__ = init
    host.txt2img(prompt="x")
    assert str(host.toy.parent) in opened[0]["companion_dirs"]
