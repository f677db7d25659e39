"""What a preset sets: controls that are at their defaults, and the host's fields if it is to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kandinsky_ext.controls import BY_FIELD, CONTROLS, EXACT, Settings

OF_THE_HOST = {"sampler", "scheduler"}
"""Controls that stand in for fields of the host's."""

Presets = Mapping[str, Mapping[str, Any]]
"""As kandinsky_engine.presets() gives them: the engine's options, by preset."""


class PresetSteps(int):
    """A preset's steps in the host's field, and what was given there: another preset, of a plot's
    cell, begins from that. What a script sets itself is a plain number.
    """

    given: int

    def __new__(cls, steps: int, given: int = 0) -> PresetSteps:
        self = super().__new__(cls, steps)
        self.given = given
        return self


def applied(settings: Settings, presets: Presets) -> tuple[Settings, int | None]:
    """The settings with the preset's values in them, and its steps, None for the host's own. What
    comes out names no preset, but what it stands for, as do the parameters of the images.
    """
    values = presets[settings.preset]
    changed = {"preset": EXACT, "preset_steps": False}
    for row in CONTROLS:
        if row.option not in values or getattr(settings, row.field) != row.default:
            continue
        if row.field not in OF_THE_HOST or settings.preset_steps:
            changed[row.field] = BY_FIELD[row.field].check(values[row.option])
    steps = values.get("num_inference_steps") if settings.preset_steps else None
    return settings.but(**changed), steps
