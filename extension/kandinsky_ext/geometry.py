"""Latents between the host's sizes and the engine's.

The host rounds an image's sides down to whole latents, the engine up to what its network can
halve: 300 pixels are 37 latents here and 40 there. The host's arithmetic between two of its calls
needs its own sizes, so latents are widened on the way in and cut on the way out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def fit(latents: Floats, height: int, width: int) -> Floats:
    """Latents [B, C, h, w] cut, or widened by repeating the border, at the right and the bottom."""
    missing = (max(0, height - latents.shape[2]), max(0, width - latents.shape[3]))
    widened = np.pad(latents, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")
    return np.ascontiguousarray(widened[:, :, :height, :width])


def host_size(width: int, height: int, factor: int) -> tuple[int, int]:
    """Width and height of the latents that the host makes of an image, at least 1."""
    return max(1, width // factor), max(1, height // factor)


def to_array(tensor: Any) -> Floats:
    """A torch tensor as a plain buffer of float32."""
    array: Floats = np.ascontiguousarray(tensor.detach().cpu().float().numpy())
    return array
