"""Puts the facade in the place of the host's model for the length of a run, and everything back
afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from modules import devices, extra_networks, processing, sd_models, sd_samplers, sd_vae, shared

from kandinsky_ext.host import beside, forge, inside
from kandinsky_ext.host.facade import Facade, Job, Sampler

try:
    from modules.sd_hijack import model_hijack
except ImportError:  # Forge Neo changes no model in such a way.
    model_hijack = None

_ABSENT = object()


class _InForce:
    """The one facade that is in force, and how to take it off."""

    def __init__(self, facade: Facade, run: Any, undo: ExitStack) -> None:
        self.facade = facade
        self.run = run
        self.undo = undo


_stack: list[_InForce] = []
"""Empty, or the one that is in force."""


def is_on() -> bool:
    """Whether a facade is in force."""
    return bool(_stack)


@contextmanager
def in_force(job: Job, overrides: Mapping[str, Any] | None = None) -> Iterator[Facade]:
    """Within, the host's own loop generates with this job. overrides: settings of the host's that
    are others for this run.

    A run inside a run (a detailer's own, say) finds the facade there and only gives it its own job.
    A facade left behind by a run that never ended is taken off first.
    """
    run = shared.state.time_start
    if _stack and _stack[0].run != run:
        _stack.pop().undo.close()
    if _stack:
        with _stack[0].facade.working_on(job):
            yield _stack[0].facade
        return
    facade = Facade(job)
    with ExitStack() as undo:
        undo.enter_context(beside.making_room(overrides or {}))
        _put_on(facade, undo)
        entry = _InForce(facade, run, undo)
        _stack.append(entry)
        try:
            yield facade
        finally:
            if entry in _stack:
                _stack.remove(entry)


def _put_on(facade: Facade, undo: ExitStack) -> None:
    def keep_facade(*_args: Any, **_kwargs: Any) -> Facade:
        return facade

    def create_sampler(name: str, *_args: Any, **_kwargs: Any) -> Sampler:
        return Sampler(name, facade)

    if forge.is_host():
        forge.extend(facade, sd_models.model_data.sd_model)
        for owner, name, value in forge.replacements(facade):
            _replace(owner, name, value, undo)
    # Not shared.sd_model: assigning that also files the facade among the loaded models.
    _replace(sd_models.model_data, "sd_model", facade, undo)
    _replace(sd_models.model_data, "was_loaded_at_least_once", True, undo)
    _replace(sd_models, "reload_model_weights", keep_facade, undo)
    # Hosts that look at the result take a true one for a VAE that was loaded.
    _replace(sd_vae, "reload_vae_weights", lambda *_a, **_k: None, undo)
    _replace(sd_samplers, "create_sampler", create_sampler, undo)
    inner = processing.process_images_inner
    _replace(processing, "process_images_inner", inside.noticed(inner), undo)
    # Not by the field of the processing object: a run inside a run has one of its own.
    for name in ("activate", "deactivate"):
        _replace(extra_networks, name, lambda *_a, **_k: None, undo)
    if model_hijack is not None:
        # Tiling is the engine's to do. The host would change the layers of a model that is not
        # there.
        _replace(model_hijack, "apply_circular", lambda *_a, **_k: None, undo)
    database = getattr(model_hijack, "embedding_db", None)
    if database is not None:
        _replace(database, "load_textual_inversion_embeddings", lambda *_a, **_k: None, undo)
    # Else latents and images pass through float16, and autocast is around us, on an accelerator.
    _replace(devices, "dtype", torch.float32, undo)
    _replace(devices, "dtype_vae", torch.float32, undo)


def _replace(owner: Any, name: str, value: Any, undo: ExitStack) -> None:
    """Sets an attribute of a module or instance until `undo` is closed; one it did not have itself
    is deleted.
    """
    before = vars(owner).get(name, _ABSENT)

    def restore() -> None:
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    setattr(owner, name, value)
    undo.callback(restore)


@contextmanager
def options_kept(keys: list[str]) -> Iterator[None]:
    """Options that the host overrides for a run are afterwards as they were.

    The host restores only options that were set before, and a fresh host has none set: give each
    one its default for the time being.
    """
    data = shared.opts.data
    before = {key: data.get(key, _ABSENT) for key in keys if key in shared.opts.data_labels}
    for key, value in before.items():
        if value is _ABSENT:
            data[key] = shared.opts.get_default(key)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is _ABSENT:
                data.pop(key, None)
            else:
                data[key] = value
