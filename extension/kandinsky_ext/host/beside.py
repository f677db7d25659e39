"""The host's own model while ours works."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modules import sd_models

from kandinsky_ext import ui
from kandinsky_ext.engine import keeper
from kandinsky_ext.host import forge, options, tools

MANAGERS = ("backend.memory_management", "ldm_patched.modules.model_management")
"""Where hosts that move models by themselves, when they need them, keep what they have loaded."""


@contextmanager
def making_room(overrides: Mapping[str, Any]) -> Iterator[None]:
    """Within, the host's model is in RAM, if the settings want it so. Nothing where there is none.
    overrides: as for max_memory.

    Afterwards the accelerator is free for it. To be entered before the facade stands in its place.
    """
    model = sd_models.model_data.sd_model
    if not options.moves_hosts_model(overrides) or model is None:
        yield
        return
    if forge.is_host():
        # It comes back when the host runs it.
        for manager in (sys.modules[name] for name in MANAGERS if name in sys.modules):
            manager.unload_all_models()
        try:
            yield
        finally:
            _leave_accelerator()
        return
    # By name: the hosts above do without.
    getattr(sd_models, "send_model_to_cpu")(model)  # noqa: B009
    try:
        yield
    finally:
        try:
            _leave_accelerator()
        finally:
            getattr(sd_models, "send_model_to_device")(model)  # noqa: B009


def _leave_accelerator() -> None:
    """Closes an engine that computes there: it may hold all of its memory."""
    opened = keeper.opened()
    if opened is not None and opened.engine.info.device != "cpu":
        ui.unload_engine(tools)
