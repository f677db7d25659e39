"""Python values -> what `_core` takes. All raise InvalidArgumentError, with the argument's name."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from typing import SupportsFloat, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine.errors import InvalidArgumentError

_INT32 = 2**31
_UINT64 = 2**64

_T = TypeVar("_T")


def several(name: str, values: Sequence[_T], one: str) -> list[_T]:
    """A list of values, `one` for each picture or so."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidArgumentError(
            f"{name}: a list with one {one} per picture is needed, got one {type(values).__name__}"
        )
    return list(values)


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
    return [text(f"{name}[{i}]", value) for i, value in enumerate(several(name, values, "text"))]


def optional_texts(name: str, values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else texts(name, values)


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


def switch(name: str, value: bool) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise InvalidArgumentError(f"{name}: True or False is needed, got {value!r}")
    return bool(value)


def seeds(name: str, values: Sequence[SupportsIndex]) -> list[int]:
    return [
        integer(f"{name}[{i}]", value, _UINT64)
        for i, value in enumerate(several(name, values, "seed"))
    ]


def optional_seeds(name: str, values: Sequence[SupportsIndex] | None) -> list[int]:
    return [] if values is None else seeds(name, values)


def pictures(name: str, values: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """A list of arrays, which `_core` checks one by one."""
    # The rows of a single picture would pass for grey pictures.
    if isinstance(values, np.ndarray) and values.ndim < 4:
        raise InvalidArgumentError(
            f"{name}: a list of pictures is needed, got one array {list(values.shape)}"
        )
    return several(name, values, "picture")


def anything(name: str, value: object) -> object:
    """What `_core` checks itself: arrays, whose shape depends on the job."""
    return value
