"""The kinds of rows that the table of controls has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kandinsky_ext.errors import UserError

Panel = Literal["main", "advanced", "mixing"]
"""Where a widget is drawn."""


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
    panel: Panel = "main"

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
    """One of some words: those of `choices`, and those that `source` knows when a run begins."""

    field: str
    label: str
    infotext: str
    default: str
    info: str
    choices: tuple[str, ...] = ()
    source: Literal["", "models", "samplers", "schedulers"] = ""
    panel: Panel = "main"

    def check(self, value: Any) -> str:
        """Returns the word. Raises UserError if it is none, or none of the choices."""
        if not isinstance(value, str) or not (self.source or value in self.choices):
            expected = "a name" if self.source else ", ".join(self.choices)
            raise UserError(f'"{self.label}" is {value!r}: expected {expected}')
        return value


@dataclass(frozen=True)
class Switch:
    """On or off. Off is the default of all of them."""

    field: str
    label: str
    infotext: str
    info: str
    panel: Panel = "main"
    default: bool = False

    def check(self, value: Any) -> bool:
        """Returns whether it is on. Raises UserError for anything but a truth value."""
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise UserError(f'"{self.label}" is {value!r}: expected true or false')
        return bool(value)


@dataclass(frozen=True)
class Picture:
    """A picture: what a page hands over, or an API call's base64 text. None: no picture.

    `infotext` is the key of its hash: the picture itself does not fit into metadata.
    """

    field: str
    label: str
    infotext: str
    panel: Panel = "main"
    default: None = None

    def check(self, value: Any) -> Any:
        """Returns it as it is, for the host to read. An empty text is no picture."""
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        return value


Control = Slider | Choice | Switch | Picture
