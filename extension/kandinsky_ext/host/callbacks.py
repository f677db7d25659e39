"""What is hooked into the host outside the script itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from modules import script_callbacks, sd_samplers

from kandinsky_ext import infotext, model_hash, models
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
    _find_model(parameters)


def _find_model(parameters: MutableMapping[str, Any]) -> None:
    """Finds the model of a pasted image by its hash where its folder has another name now, and
    notes where the model of its name has other weights.
    """
    wanted, name = (
        parameters.get(key) for key in (infotext.MODEL_HASH_KEY, infotext.KEYS["model"])
    )
    if wanted is None or name is None:
        return
    found = models.find(tools.model_roots())
    own = next((model_hash.of(model.folder) for model in found if model.name == name), None)
    if own == wanted:
        return
    other = model_hash.find(wanted, found)
    if other is not None:
        parameters[infotext.KEYS["model"]] = other.name
    elif own is not None:
        tools.note(
            f'Kandinsky model "{name}": the pasted image was generated with other weights of this '
            f"name. Their hash is {wanted}, the hash of the model here is {own}."
        )
