"""What the tests of Kandinsky 2.2 generate from, and with."""

from typing import Any

import numpy as np
from support.built import NATIVE_SIZE

from kandinsky_engine import Engine

SIZE = {"width": NATIVE_SIZE, "height": NATIVE_SIZE}
FEW: dict[str, Any] = {**SIZE, "num_inference_steps": 3}
PRIOR_STEPS: dict[str, Any] = {"prior_num_inference_steps": 2}
PROMPT = "a red circle"


def scene(height: int = NATIVE_SIZE, width: int = NATIVE_SIZE) -> np.ndarray:
    rows, columns, colours = np.ogrid[:height, :width, :3]
    return (3 * columns + 2 * rows * (colours + 1) + 40 * colours).astype(np.uint8)


def mask(first: int) -> np.ndarray:
    """A square from this row and column on."""
    mask = np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)
    mask[first : first + 24, first : first + 24] = 255
    return mask


def text_to_image(engine: Engine, seeds: tuple[int, ...] = (1,), **options: Any) -> np.ndarray:
    given = {**FEW, **PRIOR_STEPS, **options}
    return engine.text_to_image([PROMPT] * len(seeds), seeds=seeds, **given)


def image_to_image(engine: Engine, seeds: tuple[int, ...] = (1,), **options: Any) -> np.ndarray:
    given = {"images": [scene()], **FEW, **PRIOR_STEPS, **options}
    return engine.image_to_image([PROMPT] * len(seeds), seeds=seeds, **given)
