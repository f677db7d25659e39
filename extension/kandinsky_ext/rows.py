"""The kinds of rows that the table of controls has."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kandinsky_ext.errors import UserError

Panel = Literal["main", "hint", "advanced", "mixing"]
"""Where a group of widgets is drawn."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Widgets that are drawn together, so many in a row.

    heading: what stands above them, "" for nothing; about: one line behind it. sorted: those of a
    kind stand together, in rows of their own.
    """

    panel: Panel
    heading: str = ""
    about: str = ""
    in_a_row: int = 2
    sorted: bool = True


@dataclass(frozen=True, kw_only=True)
class Control(ABC):
    """What all rows have.

    field: the name in `Settings`. infotext: the key in an image's metadata. option: the engine's
    option that the value is for, as kandinsky_engine.options() names it; "" for none. info: what
    the page shows while the mouse rests on it.
    """

    field: str
    label: str
    infotext: str
    info: str = ""
    option: str = ""
    group: Group
    default: Any = None

    def shown(self, value: Any) -> Any:
        """What the widget holds for this value."""
        return value

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
    """One of some words: those of `choices`, and those that `source` knows when a run begins:
    "models", "samplers", "schedulers", or a folder with parts of models.

    words: plainer ones for some of them, which the page shows. Callers may use either.
    """

    default: str
    choices: tuple[str, ...] = ()
    source: str = ""
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def shown(self, value: Any) -> Any:
        return self.words.get(value, value)

    def check(self, value: Any) -> str:
        own = next((own for own, word in self.words.items() if word == value), value)
        if not isinstance(own, str) or not (self.source or own in self.choices):
            expected = "a name" if self.source else ", ".join(map(self.shown, self.choices))
            raise UserError(f'"{self.label}" is {value!r}: expected {expected}')
        return own


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
class Numbers(Control):
    """A list of numbers, as text with commas between them. "": none."""

    default: str = ""

    def check(self, value: Any) -> str:
        words = value.replace(",", " ").split() if isinstance(value, str) else [value]
        try:
            for word in words:
                float(word)
        except (TypeError, ValueError):
            raise UserError(
                f'"{self.label}" is {value!r}: expected numbers separated by commas'
            ) from None
        return ", ".join(map(str, words))


@dataclass(frozen=True, kw_only=True)
class Image(Control):
    """An image: what a page hands over, or an API call's base64 text, for the host to read. None:
    no image.

    `infotext` is the key of its hash: the image itself does not fit into metadata.
    """

    def check(self, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value
