"""Rows of prompts to embeds. What was encoded lately is in the engine's cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kandinsky_ext.conditions import Row

ROWS_AT_ONCE = 64
"""The engine's largest batch."""

Pair = tuple[Any, Any]
"""Positive and negative embeds; without guidance no negative ones."""


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """The different rows, in groups that one call of the engine can encode.

    It takes negative prompts for all rows of a call or for none, and absent is not the same as
    empty: without this, an image would depend on its neighbours.
    """
    different = dict.fromkeys(rows)
    found = []
    for absent in (False, True):
        group = [row for row in different if (row.negative_prompt is None) == absent]
        found += [group[at : at + ROWS_AT_ONCE] for at in range(0, len(group), ROWS_AT_ONCE)]
    return found


def encode(
    engine: Any, group: list[Row], options: dict[str, Any], *, guided: bool
) -> dict[Row, Pair]:
    """The embeds of each row of such a group."""
    absent = group[0].negative_prompt is None
    sides = engine.encode_prompts(
        [row.text for row in group],
        None if absent else [row.negative_prompt for row in group],
        seeds=[row.seed for row in group],
        with_negative=guided,
        **options,
    )
    return {
        row: (sides[0].select([place]), sides[1].select([place]) if guided else None)
        for place, row in enumerate(group)
    }
