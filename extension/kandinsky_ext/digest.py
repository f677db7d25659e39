"""A name for the content of an array."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt


def digest(array: npt.NDArray[Any]) -> str:
    """Equal for arrays of equal shape, type and content."""
    hashed = hashlib.sha256(f"{array.shape}{array.dtype.str}".encode())
    hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


def short_digest(array: npt.NDArray[Any]) -> str:
    """For an image's metadata."""
    return digest(array)[:10]
