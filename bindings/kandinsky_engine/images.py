"""Image files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine import _arguments, _arrays
from kandinsky_engine._load import core


def load_image(path: _arguments.AnyPath) -> NDArray[np.uint8]:
    """Reads a PNG, JPEG or WebP file: uint8 [H, W, C], C 1 (grey), 3 (RGB) or 4 (RGBA).

    It is rotated by its orientation tag; of an animation the first frame is read. Raises
    NotFoundError, CorruptFileError, UnsupportedError.
    """
    return np.asarray(core.load_image(_arguments.path("path", path)))


def save_image(
    path: _arguments.AnyPath, array: _arrays.AnyArray, parameters: str | None = None
) -> None:
    """Writes uint8 [H, W, 3] as PNG, JPEG or WebP by the path's ending.

    parameters: text for a PNG, in the hosts' format. An existing file is replaced atomically.
    """
    core.save_image(
        _arguments.path("path", path),
        _arrays.pixels("array", array),
        "" if parameters is None else _arguments.text("parameters", parameters),
    )
