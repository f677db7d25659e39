"""The kinds of rows that the table of controls has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from kandinsky_ext.errors import UserError

Panel = Literal["main", "advanced", "mixing"]
"""Where a widget is drawn."""


@dataclass(frozen=True, kw_only=True)
class Control(ABC):
    """What all rows have.

    field: the name in `Settings`. infotext: the key in an image's metadata. option: the engine's
    option that the value is for, as kandinsky_engine.options() names it; "" for none.
    """

    field: str
    label: str
    infotext: str
    info: str = ""
    option: str = ""
    panel: Panel = "main"
    default: Any = None

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Returns the value as the default's type. Raises UserError for one that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class Slider(Control):
    """A number."""

    default: float
    minimum: float
    maximum: float
    step: float

    def check(self, value: Any) -> Any:
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


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    """One of some words: those of `choices`, and those that `source` knows when a run begins."""

    default: str
    choices: tuple[str, ...] = ()
    source: Literal["", "models", "samplers", "schedulers"] = ""

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not (self.source or value in self.choices):
            expected = "a name" if self.source else ", ".join(self.choices)
            raise UserError(f'"{self.label}" is {value!r}: expected {expected}')
        return value


@dataclass(frozen=True, kw_only=True)
class Switch(Control):
    """On or off. Off is the default of all of them."""

    default: bool = False

    def check(self, value: Any) -> bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise UserError(f'"{self.label}" is {value!r}: expected true or false')
        return bool(value)


@dataclass(frozen=True, kw_only=True)
class Image(Control):
    """An image: what a page hands over, or an API call's base64 text, for the host to read. None:
    no image.

    `infotext` is the key of its hash: the image itself does not fit into metadata.
    """

    def check(self, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value
