"""Runs with Kandinsky in force: one of the script, or all that another script does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules import processing, shared

from kandinsky_ext import components, controls, models, offers, presets
from kandinsky_ext.controls import AUTOMATIC_MODEL, Settings
from kandinsky_ext.engine import EngineKey, OpenEngine, keeper, load_package
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import answers, backend, options, tools, wishes
from kandinsky_ext.host.job import RunJob
from kandinsky_ext.host.keeping import keeping


def run(p: Any, values: Sequence[Any]) -> Any:
    """Generates what `p` and the values of our controls ask for and returns the host's Processed.

    Raises UserError for what cannot be had, and the engine's own errors; the host shows either, and
    its web API gets what `answers` makes of them.
    """
    with answers.told(p):
        job = make_job(p, controls.read(_given(p, values)))
        try:
            job.prepare(p, script=True)
            with wishes.options_of(p), backend.in_force(job, p.override_settings):
                return processing.process_images(p)
        finally:
            wishes.forget(p)
            shared.state.textinfo = None


def _given(p: Any, values: Sequence[Any]) -> Sequence[Any]:
    """Those of the values that are ours. A program may leave some out at the end; the host then
    moves the arguments of the scripts behind ours up, into their places.
    """
    scripts = getattr(p.scripts, "scripts", ())
    expected = max((script.args_to or 0 for script in scripts), default=0)
    missing = expected - len(getattr(p, "script_args", None) or ())
    return values[: max(0, len(controls.CONTROLS) - missing)] if missing > 0 else values


def make_job(p: Any, settings: Settings) -> RunJob:
    """Opens the model that the settings name, for p and what follows in its run.

    Raises UserError or the engine's own errors.
    """
    if getattr(shared.opts, "onnx_enable", False):
        raise UserError("Kandinsky cannot run while ONNX is on: turn it off in Settings > ONNX.")
    keeping.begins(p)
    shared.state.textinfo = "Kandinsky: opening the model"
    settings, steps = presets.applied(settings, load_package().presets())
    opened, name = open_engine(settings, p.override_settings or {})
    if settings.model == AUTOMATIC_MODEL and tools.is_demo(opened.key.model_dir):
        p.comment(offers.demo_remark(name))
    return RunJob(opened, settings, model_name=name, steps=steps)


def _kept(nbytes: int) -> dict[str, Any]:
    """The engine's options for weights that it keeps on the disk."""
    if nbytes == 0:
        return {}
    return {"prepared_weights": tools.prepared_folder(), "prepared_weights_size": nbytes}


def open_engine(settings: Settings, overrides: Mapping[str, Any]) -> tuple[OpenEngine, str]:
    """The engine for these settings, and the name of its model. overrides: settings of the host's
    that are others for this run.
    """
    roots = tools.model_roots(overrides)
    model = models.choose(settings.model, roots)
    device, _ = tools.device()
    parts = components.paths(settings, tools.own_roots(overrides))
    key = EngineKey.of(
        model.folder,
        **{
            **settings.options(),
            **parts,
            "companion_dirs": models.places(roots),
            "device": device,
            "precision": options.precision(settings.precision, overrides),
            "without": options.without(overrides),
            "max_memory": options.max_memory(overrides),
            **_kept(options.prepared_weights(overrides)),
        },
    )
    try:
        return keeper.get(key), model.name
    except load_package().KandinskyError as error:
        for option, path in parts.items():
            if path and path in str(error):
                raise UserError(f'"{controls.LABELS[option]}": {error}') from error
        raise
