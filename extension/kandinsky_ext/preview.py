"""Cheap previews: a straight line from latents to colours, measured once for each model.

The decoder is too slow for every few steps and must not be called from a progress callback. One
small chart of smooth colours is encoded instead, and the 4-to-3 affine map that best turns its
latents back into its colours serves all previews. It knows colours and places, not textures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CHART_CELLS = 8
CHART_SIDE = 256
"""Pixels; 1024 latents in the full-size model, for 15 unknowns."""


@dataclass(frozen=True)
class Projection:
    """weights: float64 [channels + 1, 3], the last row is the constant."""

    weights: npt.NDArray[np.float64]

    def images(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Latents [B, C, h, w] to images [B, h, w, 3]."""
        channels_last = np.moveaxis(np.asarray(latents, dtype=np.float64), 1, -1)
        colours = channels_last @ self.weights[:-1] + self.weights[-1]
        rounded = np.clip(np.nan_to_num(colours) + 0.5, 0, 255)
        return np.asarray(rounded, dtype=np.uint8)


def measure(engine: Any) -> Projection:
    """Encodes the chart with this engine and fits. Raises what Engine.encode raises."""
    multiple = engine.info.size_multiple
    side = -(-min(CHART_SIDE, max(engine.info.native_size, multiple)) // multiple) * multiple
    image = chart(side)
    return fit(engine.encode(image[None]), image[None])


def chart(side: int) -> npt.NDArray[np.uint8]:
    """An image [side, side, 3] of smoothly changing colours, the same at every call.

    Each edge of the colour cube lies between two cells somewhere, so that no colour has to be
    guessed from afar.
    """
    cells = np.random.default_rng(7).integers(0, 2, (CHART_CELLS, CHART_CELLS, 3)) * 255.0
    at = np.linspace(0, CHART_CELLS - 1, side)
    low = np.minimum(at.astype(int), CHART_CELLS - 2)
    part = at - low
    rows = cells[low] * (1 - part)[:, None, None] + cells[low + 1] * part[:, None, None]
    columns = rows[:, low] * (1 - part)[None, :, None] + rows[:, low + 1] * part[None, :, None]
    # The engine takes plain buffers; indexing leaves the axes in another order in memory.
    return np.ascontiguousarray(columns + 0.5, dtype=np.uint8)


def fit(latents: npt.NDArray[np.float32], images: npt.NDArray[np.uint8]) -> Projection:
    """Least squares from latents [B, C, h, w] to the mean colours of images [B, h * f, w * f,
    3].
    """
    batch, channels, height, width = latents.shape
    factor = images.shape[1] // height
    blocks = images.reshape(batch, height, factor, width, factor, 3).astype(np.float64)
    colours = blocks.mean(axis=(2, 4)).reshape(-1, 3)
    known = np.moveaxis(latents.astype(np.float64), 1, -1).reshape(-1, channels)
    known = np.concatenate([known, np.ones((len(known), 1))], axis=1)
    weights, *_ = np.linalg.lstsq(known, colours, rcond=None)
    return Projection(weights)
