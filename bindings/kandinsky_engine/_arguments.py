"""Python values -> arguments of `_core`. Raise InvalidArgumentError with the argument's name."""

from __future__ import annotations

import itertools
import operator
import os
from collections.abc import Iterable, Mapping, Set
from typing import SupportsFloat, SupportsIndex, TypeAlias, TypeVar

import numpy as np

from kandinsky_engine.errors import InvalidArgumentError

_INT32 = 2**31
_UINT64 = 2**64
# More than any batch has, so that the engine says what a batch may be; itertools.count() ends here.
_MOST = 2**10

AnyPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_T = TypeVar("_T")


def several(name: str, values: Iterable[_T], of: str, most: int = _MOST) -> list[_T]:
    """A list of values from any ordered iterable."""
    try:
        if isinstance(values, str | bytes | Mapping | Set):
            raise TypeError
        iterator = iter(values)
    except TypeError:
        raise InvalidArgumentError(
            f"{name}: a list of {of} is needed, got one {type(values).__name__}"
        ) from None
    found = list(itertools.islice(iterator, most + 1))
    if len(found) > most:
        raise InvalidArgumentError(f"{name}: there are more than {most}")
    return found


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


def texts(name: str, values: Iterable[str]) -> list[str]:
    return [text(f"{name}[{i}]", value) for i, value in enumerate(several(name, values, "texts"))]


def path(name: str, value: AnyPath) -> bytes:
    """In the system's encoding: a name on Linux may contain any bytes."""
    try:
        plain = os.fspath(value)
    except TypeError:
        raise InvalidArgumentError(
            f"{name}: a path is needed, got {type(value).__name__}"
        ) from None
    try:
        found = os.fsencode(plain)
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{name}: invalid file name: its character {error.start} cannot be encoded "
            f"as {error.encoding}"
        ) from None
    if b"\0" in found:
        raise InvalidArgumentError(f"{name}: must not contain a NUL character")
    return found


def paths(name: str, values: Iterable[AnyPath]) -> list[bytes]:
    return [path(f"{name}[{i}]", value) for i, value in enumerate(several(name, values, "paths"))]


def integer(name: str, value: SupportsIndex, below: int = _INT32) -> int:
    """A whole number in [-below, below), or of 64 bits from 0 on."""
    lowest = 0 if below == _UINT64 else -below
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
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except (RuntimeError, TypeError, ValueError):  # torch's tensors raise RuntimeError
        raise InvalidArgumentError(f"{name}: a number is needed, got {value!r}") from None
    except OverflowError:
        raise InvalidArgumentError(f"{name}: the number is too large") from None


def switch(name: str, value: bool) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise InvalidArgumentError(f"{name}: True or False is needed, got {value!r}")
    return bool(value)


def seeds(name: str, values: Iterable[SupportsIndex]) -> list[int]:
    return [
        integer(f"{name}[{i}]", value, _UINT64)
        for i, value in enumerate(several(name, values, "seeds"))
    ]
