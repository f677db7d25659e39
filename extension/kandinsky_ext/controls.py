"""The table of controls: one row is one widget, one argument of the web API, one key in a picture's
metadata.

The order of the rows is the order of the API's `script_args`: add rows at the end only. A default,
minimum or maximum is copied into each user's ui-config.json at the first start and stays there, so
it can only be changed together with the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kandinsky_ext.errors import UserError

TITLE = "Kandinsky"
AUTOMATIC_MODEL = "Automatic"
"""The first model found.

A word and not a folder's name, so that it is a valid default on every machine.
"""


@dataclass(frozen=True)
class Slider:
    """A number. `field` is the name in `Settings`, `infotext` the key in a picture's metadata."""

    field: str
    label: str
    infotext: str
    default: float
    minimum: float
    maximum: float
    step: float
    info: str

    def check(self, value: Any) -> Any:
        """Returns the value as the default's type. Raises UserError for anything out of range."""
        kind = type(self.default)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise UserError(f'"{self.label}" is {value!r}: expected a number') from None
        if not self.minimum <= number <= self.maximum:
            raise UserError(
                f'"{self.label}" is {value}: expected {self.minimum:g} to {self.maximum:g}'
            )
        if kind is int and number != int(number):
            raise UserError(f'"{self.label}" is {value}: expected a whole number')
        return kind(number)


@dataclass(frozen=True)
class Choice:
    """One of some words.

    Without `choices` the words are the models found, which only `models` can check.
    """

    field: str
    label: str
    infotext: str
    default: str
    info: str
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> str:
        """Returns the word. Raises UserError if it is none, or none of the choices."""
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            expected = ", ".join(self.choices) or "a name"
            raise UserError(f'"{self.label}" is {value!r}: expected {expected}')
        return value


@dataclass(frozen=True)
class Settings:
    """What the controls say, checked. The fields are the rows of CONTROLS."""

    prior_steps: int
    prior_cfg_scale: float
    model: str
    precision: str


CONTROLS: tuple[Slider | Choice, ...] = (
    Slider(
        field="prior_steps",
        label="Prior inference steps",
        infotext="Kandinsky prior steps",
        default=25,
        minimum=2,
        maximum=1000,
        step=1,
        info="Steps from the prompt to the idea of a picture.",
    ),
    Slider(
        field="prior_cfg_scale",
        label="Prior CFG scale",
        infotext="Kandinsky prior CFG scale",
        default=4.0,
        minimum=1.0,
        maximum=20.0,
        step=0.5,
        info="How closely the idea follows it. 1: no guidance.",
    ),
    Choice(
        field="model",
        label="Kandinsky model",
        infotext="Kandinsky model",
        default=AUTOMATIC_MODEL,
        info="Its prior is the folder <model>-prior beside it.",
    ),
    Choice(
        field="precision",
        label="Kandinsky precision",
        infotext="Kandinsky precision",
        default="auto",
        info="auto suits the device; fp16 needs a GPU.",
        choices=("auto", "fp32", "bf16", "fp16"),
    ),
)


def read(values: Sequence[Any]) -> Settings:
    """Turns the values of the widgets, or of an API call's `script_args`, into settings.

    Missing values take their default, so that callers written for fewer controls keep working;
    superfluous ones are ignored. Raises UserError naming the control whose value is not allowed.
    """
    given = dict(zip((control.field for control in CONTROLS), values, strict=False))
    checked: dict[str, Any] = {
        control.field: control.check(given.get(control.field, control.default))
        for control in CONTROLS
    }
    return Settings(**checked)
