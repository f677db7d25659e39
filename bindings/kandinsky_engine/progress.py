"""What a job reports, and what it may be answered."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Action(enum.IntEnum):
    """What a progress callback wants next."""

    CONTINUE = 0
    FINISH = 1
    """End this loop now and go on with what there is, as "skip" and "interrupt" of hosts mean."""
    CANCEL = 2
    """End the job with CancelledError."""


@dataclass(frozen=True)
class Progress:
    """Where a job stands. step counts the steps done, so it runs from 0 to steps."""

    stage: str
    """ "load", "text_encoder", "image_encoder", "prior", "denoise", "encode" or "decode"."""
    step: int
    steps: int
    latents: NDArray[np.float32] | None
    """In stage "denoise", from the first step on, a copy of the predicted clean latents
    [B, 4, h, w]."""
