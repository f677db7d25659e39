"""Runs with Kandinsky in force: one of the script, or all that another script does."""

from __future__ import annotations

from typing import Any

from modules import processing, shared

from kandinsky_ext import models
from kandinsky_ext.controls import Settings
from kandinsky_ext.engine import EngineKey, keeper
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import backend, options, tools, wishes
from kandinsky_ext.host.job import RunJob


def run(p: Any, settings: Settings) -> Any:
    """Generates what `p` asks for and returns the host's Processed.

    Raises UserError for what cannot be had, and the engine's own errors; the host shows either.
    """
    job = make_job(p, settings)
    try:
        job.prepare(p, script=True)
        with wishes.options_of(p), backend.in_force(job):
            return processing.process_images(p)
    finally:
        wishes.forget(p)
        shared.state.textinfo = None


def make_job(p: Any, settings: Settings) -> RunJob:
    """Opens the model that the settings name, for p and what follows in its run.

    Raises UserError or the engine's own errors.
    """
    if getattr(shared.opts, "onnx_enable", False):
        raise UserError("Kandinsky cannot run while ONNX is on: switch it off in Settings > ONNX.")
    model = models.choose(settings.model, tools.model_roots())
    device, _ = tools.device()
    shared.state.textinfo = "Kandinsky: opening the model"
    opened = keeper.get(
        EngineKey.of(
            model.folder,
            **{**settings.options(), "device": device, "max_memory": options.max_memory(p)},
        )
    )
    return RunJob(opened, settings, model_name=model.name)
