"""Axes of ours in the host's X/Y/Z plot: one for each control but images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modules import script_callbacks, scripts

from kandinsky_ext import engine, ui
from kandinsky_ext.controls import ALWAYS_ON_TITLE, BY_FIELD, CONTROLS, TITLE, Settings
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import answers, backend, tools
from kandinsky_ext.rows import Choice, Control, Image, Slider, Switch

PLOT = "xyz_grid.py"
KEPT_AS = "kandinsky_axes"
SLOW = 1.0
"""The host's cost of changing the model, for what opens the engine anew."""


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    # All scripts are loaded then, and their pages are not drawn yet.
    script_callbacks.on_before_ui(add)


def add() -> None:
    """Adds what the plot does not have yet; nothing where the host has no plot."""
    for plot in [one.module for one in scripts.scripts_data if Path(one.path).name == PLOT]:
        known = {option.label for option in plot.axis_options}
        plot.axis_options += [
            option
            for option in (
                _option(plot, control) for control in CONTROLS if not isinstance(control, Image)
            )
            if option.label not in known
        ]


def settings_of(p: Any, settings: Settings) -> Settings | None:
    """The settings with the values of p's cell in them; None for a p that no axis has changed.

    Raises UserError naming the control whose value is not allowed.
    """
    changed = getattr(p, KEPT_AS, None)
    if changed is None:
        return None
    checked = {field: BY_FIELD[field].check(value) for field, value in changed.items()}
    return Settings(**{**vars(settings), **checked})


def label(control: Control) -> str:
    """As the host and others name theirs: "[Kandinsky] Sampler"."""
    text = control.label.removeprefix(f"{TITLE} ")
    return f"[{TITLE}] {text[0].upper()}{text[1:]}"


def _option(plot: Any, control: Control) -> Any:
    choices = _choices(control)

    def apply(p: Any, value: Any, _values: Any) -> None:
        # A new dictionary: cells are copies of one p and share what it holds.
        setattr(p, KEPT_AS, {**getattr(p, KEPT_AS, {}), control.field: value})

    def confirm(p: Any, values: Sequence[Any]) -> None:
        with answers.told(p):
            check(values)

    def check(values: Sequence[Any]) -> None:
        if not backend.is_on():
            raise UserError(f'X/Y/Z plot: "{control.label}" needs "{ALWAYS_ON_TITLE}" to be on.')
        for value in values:
            known = str(control.shown(control.check(value)))
            if choices is not None and known not in (offered := choices()):
                raise UserError(f'"{control.label}" is {value!r}: expected {", ".join(offered)}')

    kind = type(control.default) if isinstance(control, Slider) else str
    return plot.AxisOption(
        label(control),
        kind,
        apply,
        confirm=confirm,
        cost=SLOW if _opens_engine(control) else 0.0,
        choices=choices,
    )


def _choices(control: Control) -> Callable[[], list[str]] | None:
    if isinstance(control, Switch):
        return lambda: ["False", "True"]
    if not isinstance(control, Choice):
        return None
    return lambda: ui.choices(control, tools)


def _opens_engine(control: Control) -> bool:
    return control.field == "model" or control.option in engine.options_of_opening()
