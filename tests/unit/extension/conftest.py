"""A fresh stand-in for the host, a fake engine and a model folder for each test."""

from __future__ import annotations

import dataclasses
import functools
import gc
import importlib
import json
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from types import SimpleNamespace

# Gradio would ask a server for its newest version, at each page.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio
import pytest
import torch

# No test serves its page, and the server's part of one takes ten times as long as its widgets.
gradio.routes.App.create_app = staticmethod(lambda *_args, **_named: None)
# What torch and gradio have brought stays: the collector need not look through it again and again.
gc.freeze()

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests"))

# Modules are compiled once, also where PYTHONDONTWRITEBYTECODE is set, and not beside the sources.
sys.dont_write_bytecode = False
sys.pycache_prefix = str(ROOT / "build" / "pycache")

STUB = ROOT / "tests" / "support" / "host_stub"
FAKE_ENGINE = ROOT / "tests" / "support" / "fake_engine"
HOST_MODULES = (
    *("call_queue", "devices", "extra_networks", "images", "infotext_utils", "loop"),
    *("paths_internal", "processing"),
    *("prompt_parser", "rng", "script_callbacks", "scripts", "sd_hijack", "sd_models"),
    *("sd_samplers", "sd_samplers_common", "sd_vae", "sd_vae_approx", "shared", "ui_common"),
)
OURS = ("modules", "kandinsky_ext", "kandinsky_engine")


class FoundOnce(MetaPathFinder):
    """Finds the host's modules and ours where they were at first, with the code that they had:
    each test runs all of it anew.
    """

    def __init__(self):
        self.specs = {}

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] not in {"modules", "kandinsky_ext"}:
            return None
        if name not in self.specs:
            spec = PathFinder.find_spec(name, path, target)
            if spec is None:
                return None
            spec.loader.get_code = functools.cache(spec.loader.get_code)
            self.specs[name] = spec
        return self.specs[name]


@functools.cache
def compiled(text):
    return compile(text, "<dataclass>", "exec")


sys.meta_path.insert(0, FoundOnce())
# What a dataclass compiles are the same texts in each test.
dataclasses.exec = lambda text, *scope: exec(compiled(text), *scope)


def forget_modules():
    ours = [name for name in sys.modules if name.startswith(OURS) and name.split(".")[0] in OURS]
    return {name: sys.modules.pop(name) for name in ours}


@pytest.fixture
def clean_modules():
    others = forget_modules()
    yield
    forget_modules()
    # The built package, which the tests of the bindings in the same process hold on to.
    sys.modules.update(others)


def make_model(folder, **index):
    folder.mkdir(parents=True)
    components = {name: ["diffusers", "X"] for name in ("unet", "movq", "text_encoder")}
    content = {"_class_name": "KandinskyPipeline", **components, **index}
    (folder / "model_index.json").write_text(json.dumps(content))
    return folder


def snapshot(host):
    """All that a run replaces in the host, and more."""
    data = host.sd_models.model_data
    return {
        "sd_model": data.sd_model,
        "loaded": list(data.loaded_sd_models),
        "was_loaded": vars(data).get("was_loaded_at_least_once", "no such thing"),
        "reload": getattr(host.sd_models, "reload_model_weights", "no such thing"),
        "unload": getattr(host.sd_models, "unload_model_weights", "no such thing"),
        "vae": host.sd_vae.reload_vae_weights,
        "sampler": host.sd_samplers.create_sampler,
        "hijack": dict(vars(host.sd_hijack.model_hijack)),
        "embeddings": dict(vars(getattr(host.sd_hijack.model_hijack, "embedding_db", host.sd_vae))),
        "dtype": host.devices.dtype,
        "dtype_vae": host.devices.dtype_vae,
        "options": dict(host.shared.opts.data),
        "close": host.processing.StableDiffusionProcessing.close,
        "default dtype": torch.get_default_dtype(),
        "loop": [
            {name: value for name, value in vars(module).items() if callable(value)}
            for module in (
                *(host.extra_networks, host.processing),
                *(host.sd_models, host.sd_vae_approx),
            )
        ],
    }


@pytest.fixture
def bare_host(tmp_path, monkeypatch, clean_modules):
    """The host's modules and our script in them, with no engine to be found."""
    # The built package is on the path when the tests of the bindings run in the same process.
    engineless = [path for path in sys.path if not (Path(path) / "kandinsky_engine").is_dir()]
    monkeypatch.setattr(sys, "path", engineless)
    monkeypatch.syspath_prepend(str(STUB))
    host = SimpleNamespace(models=tmp_path / "models", out=tmp_path / "out")
    for name in HOST_MODULES:
        setattr(host, name, importlib.import_module(f"modules.{name}"))
    host.paths_internal.models_path = str(host.models)
    host.script, host.img2img_script = host.scripts.load_script(ROOT / "scripts" / "kandinsky.py")
    host.twin, host.img2img_twin = host.scripts.load_script(
        ROOT / "scripts" / "kandinsky_for_other_scripts.py", forget=False
    )
    host.ext = lambda name: importlib.import_module(f"kandinsky_ext.{name}")
    # Neither what install.py built for this checkout nor the shipped model belongs to these tests.
    monkeypatch.setattr(host.ext("engine"), "engine_folder", lambda: tmp_path / "no-engine")
    monkeypatch.setattr(host.ext("host.tools"), "DEMO_FOLDER", tmp_path / "no-demo")
    # Nor does what this person has downloaded.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    def txt2img(args=(), **values):
        kind = host.processing.StableDiffusionProcessingTxt2Img
        return generate(host.script, kind, args, values)

    def img2img(*images, args=(), **values):
        kind = host.processing.StableDiffusionProcessingImg2Img
        values = {"init_images": list(images), **values}
        return generate(host.img2img_script, kind, args, values)

    def generate(script, kind, args, values):
        host.p = kind(
            outpath_samples=host.out / "samples", outpath_grids=host.out / "grids", **values
        )
        return host.processing.generate(script, host.p, args)

    @functools.cache
    def drawn(script):
        with gradio.Blocks():
            return script.ui(script.is_img2img)

    def paste(script, text, args=None):
        """What pasting a text leaves in the widgets: (parsed parameters, values of all of them)."""
        components = drawn(script)
        values = list(args or [component.value for component in components])
        params, pasted = host.infotext_utils.paste(script.infotext_fields, text)
        for (component, _), value in zip(script.infotext_fields, pasted, strict=True):
            if value is not None and component in components:
                values[components.index(component)] = value
        return params, values

    def generate_pasted(text):
        """Pastes a text, chooses the script if it says so, and presses Generate."""
        params, values = paste(host.script, text)
        assert params["Script"] == host.script.title()
        fields = host.infotext_utils.sampling_fields(params)
        return txt2img(args=values, prompt=params["Prompt"], seed=int(params["Seed"]), **fields)

    host.snapshot = lambda: snapshot(host)
    host.txt2img = txt2img
    host.img2img = img2img
    host.paste = paste
    host.generate_pasted = generate_pasted
    return host


@pytest.fixture
def host(bare_host, monkeypatch):
    """The same with the fake engine and one model, "toy"."""
    monkeypatch.syspath_prepend(str(FAKE_ENGINE))
    bare_host.engine = importlib.import_module("kandinsky_engine")
    bare_host.calls = bare_host.engine.Engine.calls
    bare_host.called = lambda name: [args for called, args in bare_host.calls if called == name]
    bare_host.settings = lambda **named: [
        row.shown(named.pop(row.field, row.default)) for row in bare_host.ext("controls").CONTROLS
    ]
    bare_host.toy = make_model(bare_host.models / "Kandinsky" / "toy")
    return bare_host


@pytest.fixture(params=["ForgeObjects", "ForgeReload", "ForgeNeo"])
def forge(request, host, monkeypatch):
    """The same host, but one that keeps a model's networks in `forge_objects`."""
    getattr(host.loop, request.param)(host.processing).install(monkeypatch)
    return host
