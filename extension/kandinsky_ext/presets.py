"""What a preset sets: controls that are at their defaults, and the host's fields if it is to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kandinsky_ext.controls import BY_FIELD, CONTROLS, EXACT, Settings

OF_THE_HOST = {"sampler", "scheduler"}
"""Controls that stand in for fields of the host's."""

Presets = Mapping[str, Mapping[str, Any]]
"""As kandinsky_engine.presets() gives them: the engine's options, by preset."""


def applied(settings: Settings, p: Any, presets: Presets) -> Settings:
    """The settings with the preset's values in them, and p with its steps. What comes out names no
    preset, but what it stands for, as do the parameters of the images.
    """
    values = presets[settings.preset]
    changed = {"preset": EXACT, "preset_steps": False}
    for row in CONTROLS:
        if row.option not in values or getattr(settings, row.field) != row.default:
            continue
        if row.field not in OF_THE_HOST or settings.preset_steps:
            changed[row.field] = BY_FIELD[row.field].check(values[row.option])
    if settings.preset_steps and "num_inference_steps" in values:
        p.steps = values["num_inference_steps"]
    return settings.but(**changed)
