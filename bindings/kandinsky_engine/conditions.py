"""Prompts that change during the steps, or combine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kandinsky_engine import _arguments
from kandinsky_engine._load import core
from kandinsky_engine.errors import InvalidArgumentError


@dataclass(frozen=True)
class Condition:
    """A row of embeds that guides one image during some steps.

    Rows of one image and step are summed with their weights (composable diffusion, "AND" in hosts);
    prompt editing is one row after another.
    """

    row: int
    """Of the embeds, which may have up to 1024 rows."""
    image: int
    """0 to B - 1."""
    first_step: int
    """1 to last_step."""
    last_step: int
    """Up to num_inference_steps; counted over the whole schedule, even if image to image skips its
    beginning."""
    weight: float = 1.0
    """-100 to 100; 1 in a negative condition."""


_MOST = 2**17  # more than any job has, so that the engine says what a job may have


def conditions(name: str, values: Iterable[Condition]) -> list[core.Condition]:
    """Converts them for `_core`. Raises InvalidArgumentError, with the argument's name."""
    found = []
    for i, value in enumerate(_arguments.several(name, values, "conditions", _MOST)):
        item = f"{name}[{i}]"
        if not isinstance(value, Condition):
            raise InvalidArgumentError(f"{item}: a Condition is needed, got {type(value).__name__}")
        found.append(
            core.Condition(
                row=_arguments.integer(f"{item}.row", value.row),
                image=_arguments.integer(f"{item}.image", value.image),
                first_step=_arguments.integer(f"{item}.first_step", value.first_step),
                last_step=_arguments.integer(f"{item}.last_step", value.last_step),
                weight=_arguments.number(f"{item}.weight", value.weight),
            )
        )
    return found
