"""A host without a working engine, or without a model: the entry stays and says why."""

import fcntl
import html
import os
import re
import sys
from pathlib import Path

import gradio as gr
import pytest

ROOT = Path(__file__).parents[3]


def status(host):
    with gr.Blocks() as page:
        host.script.ui(False)
    (shown,) = [b for b in page.blocks.values() if (b.elem_id or "").endswith("kandinsky_status")]
    return html.unescape(re.sub("<[^>]*>", "", shown.value))


def test_an_engine_that_was_never_built(bare_host):
    assert bare_host.script.show(False) is True
    text = status(bare_host)
    assert "not built for torch" in text
    assert "install.py" in text
    make_toy(bare_host)
    with pytest.raises(bare_host.ext("errors").UserError, match="not built for torch"):
        bare_host.txt2img()
    assert bare_host.sd_models.model_data.sd_model is None


def test_an_engine_that_is_being_built(bare_host, tmp_path, monkeypatch):
    folder = tmp_path / "engine" / "9.9.9-cp311"
    folder.parent.mkdir()
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: folder)
    lock = folder.parent / "lock"
    lock.write_text("compiling: 40 / 210, time left: about 3 min")
    assert "not built for torch" in status(bare_host), "nobody holds it"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert status(bare_host) == (
            "The engine is being builtcompiling: 40 / 210, time left: about 3 min"
        )


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


GOOD = (
    "def samplers(): return {'DDIM': ''}\ndef schedulers(): return {'Automatic': ''}\n"
    "def families(): return ['kandinsky-2-1']\n"
    "def recognize_folder(folder): return 'kandinsky-2-1', 'model'\n"
)


def test_mending_the_engine_needs_no_restart(bare_host, tmp_path, monkeypatch):
    package = tmp_path / "engine" / "kandinsky_engine"
    package.mkdir(parents=True)
    (package / "_build_info.py").write_text("WHY = 'bad'")
    (package / "__init__.py").write_text(
        "from kandinsky_engine import _build_info\n"
        "if _build_info.WHY: raise ImportError(_build_info.WHY)\n"
    )
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: package.parent)
    make_toy(bare_host)
    assert "bad" in status(bare_host)
    (package / "_build_info.py").write_text("WHY = ''")
    with (package / "__init__.py").open("a") as file:
        file.write(GOOD)
    assert status(bare_host).startswith("Not loaded")


def test_an_engine_that_appears_while_the_host_runs_is_found_after_reload_ui(
    bare_host, tmp_path, monkeypatch
):
    """Python remembers that a folder was not there, and what a folder had in it."""
    folder = tmp_path / "engine" / "9.9.9-cp311"
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: folder)
    make_toy(bare_host)
    assert "not built for torch" in status(bare_host)
    folder.mkdir(parents=True)
    assert "not built for torch" in status(bare_host)
    package = folder / "kandinsky_engine"
    package.mkdir()
    (package / "__init__.py").write_text(GOOD)
    # As if all of it was written within one tick of the file system's clock.
    os.utime(folder, ns=(0, 0))
    monkeypatch.setattr(bare_host.ext("engine"), "engine_folder", lambda: folder)
    bare_host.scripts.load_script(ROOT / "scripts" / "kandinsky.py", forget=False)
    assert status(bare_host).startswith("Not loaded")


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
