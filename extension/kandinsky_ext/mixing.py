"""Mixing: the image side of what guides an image is put together from two things.

Image 1 is the prompt, as the prior imagines it, or an image; image 2 is the extra image. The text
side stays the prompt's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ImageOps

from kandinsky_ext.controls import (
    AUTOMATIC_MIX,
    CONTROLS,
    IMAGE_AND_IMAGE,
    PROMPT_AND_IMAGE,
    Settings,
)
from kandinsky_ext.digest import short_digest
from kandinsky_ext.errors import UserError

Pixels = npt.NDArray[np.uint8]
LABELS = {control.field: control.label for control in CONTROLS}


@dataclass(frozen=True)
class Mix:
    """first: one image for the whole batch, one for each, or None for the prompts."""

    first: tuple[Pixels, ...] | None
    second: Pixels
    strengths: tuple[float, float]
    method: str

    def items(self) -> str:
        """What is mixed, in the words of the control."""
        return PROMPT_AND_IMAGE if self.first is None else IMAGE_AND_IMAGE

    def hashes(self) -> tuple[str, str | None]:
        """Of image 2 and, if there is one, image 1, for an image's metadata."""
        first = None if self.first is None else "+".join(map(short_digest, self.first))
        return short_digest(self.second), first


def make(
    settings: Settings, *, image_1: Any, image_2: Any, init_images: Sequence[Any]
) -> Mix | None:
    """What the controls ask for, or None if mixing is off.

    image_1, image_2: images as PIL has them, or None. init_images: those of image to image.
    Raises UserError for an image that is missing.
    """
    if not settings.mix:
        return None
    if image_2 is None:
        raise UserError(
            f'Image Mixing needs an image in "{LABELS["mix_image_2"]}". The metadata have only its '
            "hash, so after pasting choose it again."
        )
    firsts = [image_1] if image_1 is not None else list(init_images)
    of_images = settings.mix_items == IMAGE_AND_IMAGE or (
        settings.mix_items == AUTOMATIC_MIX and bool(firsts)
    )
    if of_images and not firsts:
        raise UserError(
            f'Image Mixing of "{IMAGE_AND_IMAGE}" needs an image in '
            f'"{LABELS["mix_image_1"]}", or image to image.'
        )
    return Mix(
        first=tuple(to_pixels(one) for one in firsts) if of_images else None,
        second=to_pixels(image_2),
        strengths=(settings.mix_strength_1, settings.mix_strength_2),
        method=settings.mix_method,
    )


def to_pixels(image: Any) -> Pixels:
    """A PIL image of any mode, upright: grey [H, W], RGB or RGBA [H, W, C].

    As the engine reads files: key colours are transparent, and 16 bits keep the high ones.
    """
    upright: Any = ImageOps.exif_transpose(image)
    transparency = upright.info.get("transparency")
    if upright.mode.startswith("I"):
        values = np.asarray(upright)
        grey = (values.clip(0, 0xFFFF) >> 8).astype(np.uint8)
        if transparency is None:
            return grey
        alpha = np.where(values == transparency, 0, 255).astype(np.uint8)
        return np.dstack([grey, grey, grey, alpha])
    if "A" in upright.getbands() or transparency is not None:
        upright = upright.convert("RGBA")
    elif upright.mode not in ("L", "RGB"):
        upright = upright.convert("RGB")
    return np.array(upright, dtype=np.uint8)
