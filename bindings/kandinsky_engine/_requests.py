"""Keywords of Engine's methods -> `_core`'s option structs."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import SupportsIndex, get_type_hints

from kandinsky_engine import _arguments, _arrays
from kandinsky_engine._load import core
from kandinsky_engine.options import Picture


def prompt_options(
    prompts: Iterable[str], negative_prompts: Iterable[str] | None, seeds: Iterable[SupportsIndex]
) -> core.PromptOptions:
    options = core.PromptOptions()
    options.prompts = _arguments.texts("prompts", prompts)
    options.negative_prompts = _arguments.optional_texts("negative_prompts", negative_prompts)
    options.seeds = _arguments.seeds("seeds", seeds)
    return options


def denoise_options(
    width: SupportsIndex, height: SupportsIndex, seeds: Iterable[SupportsIndex]
) -> core.DenoiseOptions:
    options = core.DenoiseOptions()
    options.width = _arguments.integer("width", width)
    options.height = _arguments.integer("height", height)
    options.seeds = _arguments.seeds("seeds", seeds)
    return options


def source_options(pictures: Iterable[Picture]) -> core.SourceOptions:
    options = core.SourceOptions()
    options.pictures = _arrays.pictures("pictures", pictures)
    return options


@functools.cache
def _checks(kind: type) -> dict[str, Callable[[str, object], object]]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def fill(function: str, kind: type, options: Mapping[str, object], *targets: object) -> None:
    """Sets each option on the one of targets, `_core`'s structs, that has it.

    kind: the TypedDict of the keywords that `function` takes. Raises TypeError for another keyword
    and InvalidArgumentError for a value of a wrong type.
    """
    checks = _checks(kind)
    for name, value in options.items():
        if name not in checks:
            near = difflib.get_close_matches(name, checks, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
        target = next(target for target in targets if hasattr(type(target), name))
        setattr(target, name, checks[name](name, value))
