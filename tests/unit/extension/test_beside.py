"""The host's own model makes room for ours, where the settings want it."""

import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from support.panel_hooks import Hooks


@pytest.fixture
def loaded(host):
    """The host's model, on the device."""
    model = SimpleNamespace(place="device")
    host.sd_models.model_data.sd_model = model
    return model


def places_during(host, model):
    """Where it was while Kandinsky worked."""
    seen = []
    denoise = host.engine.Engine.denoise

    def during(self, *args, **kwargs):
        seen.append(model.place)
        return denoise(self, *args, **kwargs)

    host.engine.Engine.denoise = during
    try:
        host.txt2img(n_iter=2)
    finally:
        host.engine.Engine.denoise = denoise
    return seen


def test_it_is_in_ram_during_a_run_and_back_afterwards(host, loaded):
    host.shared.opts.kandinsky_move_sd = True
    assert places_during(host, loaded) == ["cpu", "cpu"]
    assert loaded.place == "device"
    assert host.sd_models.model_data.sd_model is loaded


def places_at_closing(host, model, monkeypatch):
    """Where it was each time that an engine was closed."""
    seen = []
    monkeypatch.setattr(host.engine.Engine, "close", lambda _engine: seen.append(model.place))
    return seen


@pytest.mark.parametrize("steps", [4, 1000])
def test_it_comes_back_to_a_gpu_that_kandinsky_has_left(host, loaded, monkeypatch, steps):
    host.shared.opts.kandinsky_move_sd = True
    monkeypatch.setattr(host.devices, "device", torch.device("cuda"))
    closed = places_at_closing(host, loaded, monkeypatch)
    with suppress(host.engine.InvalidArgumentError):
        host.txt2img(steps=steps)
    assert closed == ["cpu"]
    assert loaded.place == "device"


def test_on_a_cpu_kandinsky_stays_loaded(host, loaded, monkeypatch):
    host.shared.opts.kandinsky_move_sd = True
    closed = places_at_closing(host, loaded, monkeypatch)
    host.txt2img()
    assert closed == []


def test_it_is_back_after_a_run_that_failed(host, loaded, monkeypatch):
    host.shared.opts.kandinsky_move_sd = True

    def fail(*_args, **_kwargs):
        raise ValueError("no")

    monkeypatch.setattr(host.engine.Engine, "denoise", fail)
    with pytest.raises(ValueError, match="no"):
        host.txt2img()
    assert loaded.place == "device"


@pytest.mark.parametrize("panel", [False, True])
def test_one_run_may_want_it(host, loaded, panel):
    wanted = {"override_settings": {"kandinsky_move_sd": True}}
    seen = []

    class Look:
        def process_batch(self, p):
            seen.append(loaded.place)

    if panel:
        hooks = [Hooks(host.twin, (True,)), Look()]
        kind = host.processing.StableDiffusionProcessingTxt2Img
        host.processing.generate(None, kind(scripts=host.scripts.Runner(hooks), **wanted))
    else:
        host.txt2img(scripts=host.scripts.Runner([Look()]), **wanted)
    assert (seen, loaded.place) == (["cpu"], "device")


def test_it_stays_where_it_is_unless_wanted(host, loaded):
    assert places_during(host, loaded) == ["device", "device"]


def test_where_there_is_none_nothing_happens(host):
    host.shared.opts.kandinsky_move_sd = True
    assert len(host.txt2img().images) == 1


def test_a_host_that_moves_models_itself_is_asked_to(forge, loaded, monkeypatch):
    asked = []
    manager = SimpleNamespace(unload_all_models=lambda: asked.append(True))
    monkeypatch.setitem(sys.modules, "backend.memory_management", manager)
    forge.shared.opts.kandinsky_move_sd = True
    loaded.get_prompt_lengths_on_ui = None
    monkeypatch.setattr(forge.devices, "device", torch.device("cuda"))
    closed = places_at_closing(forge, loaded, monkeypatch)
    assert places_during(forge, loaded) == ["device", "device"]
    assert asked == [True]
    assert len(closed) == 1, "the host moves it back when it needs it"
