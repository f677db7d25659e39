"""Keywords of Engine's methods -> `_core`'s options, by the engine's table of options."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping
from typing import Any

from kandinsky_engine import _arguments, _arrays
from kandinsky_engine._load import core
from kandinsky_engine.conditions import conditions


def _integer(name: str, value: Any) -> int:
    return _arguments.integer(name, value, below=2**63)


def _images(name: str, values: Any) -> list[Any]:
    read = _arrays.masks if name == "masks" else _arrays.images
    return list(read(name, values))


# No default stands for these.
_REQUIRED = {"model_dir", "prompts", "seeds", "images"}
# What checks the values of each type of option; `_core` has a setter of the type's name.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "flag": _arguments.switch,
    "integer": _integer,
    "number": _arguments.number,
    "text": _arguments.text,
    "path": _arguments.path,
    "texts": _arguments.texts,
    "paths": _arguments.paths,
    "seeds": _arguments.seeds,
    "floats": _arrays.floats,
    "images": _images,
    "conditions": conditions,
}


@functools.cache
def _table(operation: str) -> dict[str, dict[str, Any]]:
    return {option["name"]: option for option in core.options(operation)}


def make_options(operation: str, keywords: Mapping[str, Any]) -> core.Options:
    """Options of the method of that name; None means the default for options without a value.

    Raises TypeError for another keyword, InvalidArgumentError for a value of a wrong type or out of
    range.
    """
    table = _table(operation)
    options = core.Options(operation)
    for name, value in keywords.items():
        if name not in table:
            near = difflib.get_close_matches(name, table, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{operation}() got an unexpected keyword argument {name!r}{hint}")
        if value is None and not table[name]["default"] and name not in _REQUIRED:
            continue
        kind = table[name]["type"]
        getattr(options, f"set_{kind}")(name, _CHECKS[kind](name, value))
    return options
