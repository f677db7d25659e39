"""What is hooked into the host outside the script itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from modules import script_callbacks, sd_samplers

from kandinsky_ext import infotext
from kandinsky_ext.host import api, axes, forge, keeping, options, tools


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    script_callbacks.on_infotext_pasted(_on_pasted)
    options.register()
    axes.register()
    api.register()
    keeping.hook_unload()


def _on_pasted(_infotext: str, parameters: MutableMapping[str, Any]) -> None:
    if forge.takes_model_for_checkpoint() and infotext.KEYS["model"] in parameters:
        parameters.pop(forge.MODEL_KEY, None)
    infotext.on_pasted(
        parameters,
        tools.sampler_names(),
        # Hosts older than 1.9 have no field for the schedule.
        getattr(sd_samplers, "get_scheduler_from_infotext", None),
    )
