"""Depth control: a map that the images of some models follow."""

from __future__ import annotations

from typing import Any

from kandinsky_ext.controls import BY_FIELD
from kandinsky_ext.errors import UserError
from kandinsky_ext.mixing import Pixels, to_pixels

LABEL = BY_FIELD["hint"].label


def make(image: Any, *, model: str, takes_hints: bool) -> Pixels | None:
    """The map in the engine's form, None for a model that takes none. image: as PIL has it, or
    None.

    Raises UserError for a map that is missing, and for one too many.
    """
    if image is not None and not takes_hints:
        raise UserError(
            f'"{LABEL}": the model {model} takes none. Remove it, or choose a model with depth '
            "control."
        )
    if image is None and takes_hints:
        raise UserError(
            f'"{LABEL}": the model {model} needs one. Metadata hold only its hash, so after '
            "pasting please choose it again."
        )
    return None if image is None else to_pixels(image)


def part(hint: Pixels, box: tuple[int, int, int, int], size: tuple[int, int]) -> Pixels:
    """What of the map belongs to a part of an image. box: left, top, width and height of the part.
    size: of the whole image.
    """
    height, width = hint.shape[:2]
    left, top, wide, high = box
    across = slice(*_scaled(left, left + wide, width / size[0]))
    down = slice(*_scaled(top, top + high, height / size[1]))
    return hint[down, across]


def _scaled(first: int, last: int, factor: float) -> tuple[int, int]:
    begin = round(first * factor)
    return begin, max(begin + 1, round(last * factor))
