from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np


class Action(enum.Enum):
    CONTINUE = 0
    FINISH = 1
    CANCEL = 2


@dataclass
class Progress:
    stage: str
    step: int
    steps: int
    latents: np.ndarray | None = None
