"""A host without a working engine, or without a model: the entry stays and says why."""

import importlib
import sys

import gradio as gr
import pytest


def status(host):
    with gr.Blocks() as page:
        host.script.ui(False)
    return next(
        block.value for block in page.blocks.values() if (block.elem_id or "").endswith("_status")
    )


def test_an_engine_that_was_never_built(bare_host):
    assert bare_host.script.show(False) is True
    text = status(bare_host)
    assert "not built for torch" in text
    assert "install.py" in text
    make_toy(bare_host)
    with pytest.raises(bare_host.ext("errors").UserError, match="not built for torch"):
        bare_host.txt2img()
    assert bare_host.sd_models.model_data.sd_model is None


def make_toy(host):
    folder = host.models / "Kandinsky" / "toy"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text('{"unet": 1, "movq": 1, "text_encoder": 1}')


@pytest.mark.parametrize(
    "source",
    [
        'raise ImportError("The Kandinsky engine cannot be loaded: it was built for torch 2.1.2")',
        'raise OSError("libopencv_core.so.406: cannot open shared object file")',
        "import a_module_that_nobody_has",
    ],
)
def test_an_engine_that_does_not_load(bare_host, tmp_path, monkeypatch, source):
    package = tmp_path / "broken" / "kandinsky_engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source)
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: package.parent)
    make_toy(bare_host)
    path = list(sys.path)
    reason = status(bare_host)
    assert reason.count("The Kandinsky engine cannot be loaded: ") == 1
    assert any(words in reason for words in ("2.1.2", "libopencv_core", "a_module_that_nobody_has"))
    with pytest.raises(bare_host.ext("errors").UserError) as error:
        bare_host.txt2img()
    assert str(error.value) == reason
    assert sys.path == path


def test_mending_the_engine_needs_no_restart(bare_host, tmp_path, monkeypatch):
    package = tmp_path / "engine" / "kandinsky_engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('raise ImportError("bad")')
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: package.parent)
    make_toy(bare_host)
    assert "bad" in status(bare_host)
    (package / "__init__.py").write_text(
        "def samplers(): return ['DDIM']\ndef schedulers(): return ['Automatic']\n"
    )
    importlib.invalidate_caches()
    assert status(bare_host) == ""


def test_the_engine_built_here_comes_before_an_installed_one(host, tmp_path, monkeypatch):
    package = tmp_path / "engine" / "kandinsky_engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("built_here = True")
    monkeypatch.setattr(host.ext("engine"), "engine_folder", lambda: package.parent)
    monkeypatch.delitem(sys.modules, "kandinsky_engine")
    assert host.ext("engine").load_package().built_here


def test_no_model_is_said_with_the_folders_looked_in(host):
    (host.toy / "model_index.json").unlink()
    with pytest.raises(host.ext("errors").UserError) as error:
        host.txt2img()
    for text in (status(host), str(error.value)):
        assert "no Kandinsky model" in text
        assert str(host.models / "Kandinsky") in text


def test_a_broken_model_is_said_in_the_engines_words(host):
    (host.toy / "broken").touch()
    with pytest.raises(host.engine.NotFoundError, match="component unet is missing"):
        host.txt2img()
    (host.toy / "broken").unlink()
    assert len(host.txt2img().images) == 1


def test_an_error_is_not_kept(host):
    with pytest.raises(host.engine.InvalidArgumentError, match="fp16"):
        host.txt2img(args=(25, 4.0, "toy", "fp16"))
    assert len(host.txt2img().images) == 1
