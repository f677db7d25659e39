"""Quick images of the tiny model, through the Python package."""

from typing import Any

import numpy as np
from support.built import NATIVE_SIZE

from kandinsky_engine import Engine

SIZE = {"width": NATIVE_SIZE, "height": NATIVE_SIZE}
FEW: dict[str, Any] = {"num_inference_steps": 2, "prior_num_inference_steps": 2}
LONG: dict[str, Any] = {"num_inference_steps": 999, "prior_num_inference_steps": 2}


def generate(engine: Engine, **options: Any) -> np.ndarray:
    return engine.text_to_image(["a red circle"], **{"seeds": [1], **SIZE, **FEW, **options})
