"""Whether two computations of one network agree: the check of a competitor that converts it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# The most that a prediction may differ from diffusers' in fp32, relative, by precision. Constants
# in fp16 cost about 0.006, bf16 in every layer 0.05; a wrong graph is off by about 1.
TOLERANCES = {"fp32": 0.01, "bf16": 0.1}


class DisagreementError(Exception):
    """A competitor computes something else."""


def relative_error(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """The root mean square of the difference, over that of `expected`."""
    if found.shape != expected.shape:
        raise DisagreementError(f"a prediction of {found.shape}, expected {expected.shape}")
    wide = expected.astype(np.float64)
    return float(np.linalg.norm(found - wide) / np.linalg.norm(wide))


def check_prediction(
    found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32], precision: str
) -> float:
    """Their relative error. Raises DisagreementError where it is too large, or no number."""
    error = relative_error(found, expected)
    if not error <= TOLERANCES[precision]:
        raise DisagreementError(
            f"its prediction differs from diffusers' by {error:.2g}, relative; in {precision} at "
            f"most {TOLERANCES[precision]:g} is expected"
        )
    return error
