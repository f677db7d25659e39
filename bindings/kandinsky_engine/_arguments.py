"""Python values -> what `_core` takes. All raise InvalidArgumentError, with the argument's name."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from typing import SupportsFloat, SupportsIndex

from kandinsky_engine.errors import InvalidArgumentError

_INT32 = 2**31
_UINT64 = 2**64


def text(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name}: a str is needed, got {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{name}: cannot be written as UTF-8: character {error.start} is half of a pair"
        ) from None
    if "\0" in value:
        raise InvalidArgumentError(f"{name}: must not contain a NUL character")
    return value


def texts(name: str, values: Sequence[str]) -> list[str]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidArgumentError(
            f"{name}: a list with one text per picture is needed, got one {type(values).__name__}"
        )
    return [text(f"{name}[{i}]", value) for i, value in enumerate(values)]


def path(name: str, value: str | os.PathLike[str]) -> str:
    try:
        plain = os.fspath(value)
    except TypeError:
        raise InvalidArgumentError(
            f"{name}: a path is needed, got {type(value).__name__}"
        ) from None
    return text(name, plain)


def integer(name: str, value: SupportsIndex, below: int = _INT32) -> int:
    """A whole number in [-2^31, below) - or [0, below) if that is larger."""
    lowest = -_INT32 if below <= _INT32 else 0
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidArgumentError(
            f"{name}: a whole number is needed, got {type(value).__name__}"
        ) from None
    if not lowest <= number < below:
        raise InvalidArgumentError(f"{name}: {number} is out of range")
    return number


def number(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{name}: a number is needed, got {value!r}") from None
    except OverflowError:
        raise InvalidArgumentError(f"{name}: the number is too large") from None


def seeds(values: Sequence[SupportsIndex]) -> list[int]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidArgumentError(
            f"seeds: a list with one seed per picture is needed, got one {type(values).__name__}"
        )
    return [integer(f"seeds[{i}]", value, _UINT64) for i, value in enumerate(values)]
