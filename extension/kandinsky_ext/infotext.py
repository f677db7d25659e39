"""Settings to and from the parameters written into pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from kandinsky_ext.controls import CONTROLS, TITLE, Settings

SCRIPT_KEY = "Script"
SAMPLER_KEY = "Sampler"
SAMPLER_PREFIX = "Kandinsky "
HOST_KEYS_LEFT_OUT = ("Schedule type", "Clip skip", "VAE", "VAE hash", "RNG")
"""What the host would write of its own, and what has no part in our pictures."""


def write(
    parameters: MutableMapping[str, Any],
    settings: Settings,
    *,
    sampler: str,
    model: str,
    precision: str,
    host_noise: bool,
) -> None:
    """Sets every key that is ours, so that a dictionary shared with an earlier run keeps nothing of
    it.

    sampler, model and precision are what was really used, where the settings may say "Automatic" or
    "auto". host_noise says that the first noise is the host's (variation seeds), whose source then
    stays named.
    """
    used = {"model": model, "precision": precision}
    parameters[SCRIPT_KEY] = TITLE
    parameters[SAMPLER_KEY] = SAMPLER_PREFIX + sampler
    for key in HOST_KEYS_LEFT_OUT:
        parameters[key] = None
    if host_noise:
        del parameters["RNG"]
    for control in CONTROLS:
        parameters[control.infotext] = used.get(control.field, getattr(settings, control.field))


def paste_fields(components: Iterable[Any]) -> list[tuple[Any, str | Callable[..., Any]]]:
    """Pairs the widgets, in the order of CONTROLS, with their keys, as the host wants them for
    pasting.
    """
    return [
        (component, control.infotext)
        for component, control in zip(components, CONTROLS, strict=True)
    ]


def paste_names() -> list[str]:
    """The keys that the "Send to" buttons carry over."""
    return [control.infotext for control in CONTROLS]


def on_pasted(_infotext: str, parameters: MutableMapping[str, Any]) -> None:
    """Gives the host's sampler field a name it may know: "Kandinsky DDIM" is pasted as "DDIM"."""
    sampler = parameters.get(SAMPLER_KEY)
    if isinstance(sampler, str) and sampler.startswith(SAMPLER_PREFIX):
        parameters[SAMPLER_KEY] = sampler.removeprefix(SAMPLER_PREFIX)
