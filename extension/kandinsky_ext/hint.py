"""Depth control: a map that the images of some models follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from kandinsky_ext.controls import BY_FIELD
from kandinsky_ext.errors import UserError
from kandinsky_ext.mixing import Pixels, to_pixels

LABEL = BY_FIELD["hint"].label
CROP, FILL = 1, 2
"""The host's resize modes that keep an image's shape: "Crop and resize", "Resize and fill"."""


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


def resized(hint: Pixels, size: tuple[int, int], mode: int) -> Pixels:
    """The map cut (mode 1) or filled up (mode 2) to the shape of an image of this width and height,
    as the host resizes the image that it belongs to. In its other modes the map is stretched, which
    is the engine's to do.
    """
    width, height = size
    shape = hint.shape[:2]
    if mode == CROP:
        kept = (
            min(shape[0], max(1, round(shape[1] * height / width))),
            min(shape[1], max(1, round(shape[0] * width / height))),
        )
        top, left = ((there - kept) // 2 for there, kept in zip(shape, kept, strict=True))
        return hint[top : top + kept[0], left : left + kept[1]]
    if mode != FILL or shape[0] * width == shape[1] * height:
        return hint
    scale = min(width / shape[1], height / shape[0])
    inner = max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))
    scaled = np.asarray(Image.fromarray(hint).resize(inner, Image.Resampling.LANCZOS))
    around = [(free // 2, free - free // 2) for free in (height - inner[1], width - inner[0])] + [
        (0, 0)
    ] * (hint.ndim - 2)
    return np.pad(scaled, around, mode="edge")


def _scaled(first: int, last: int, factor: float) -> tuple[int, int]:
    begin = round(first * factor)
    return begin, max(begin + 1, round(last * factor))
