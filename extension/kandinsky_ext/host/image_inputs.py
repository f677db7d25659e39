"""Images among a script's arguments, as the page and the web API hand them over."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from kandinsky_ext.errors import UserError


def read(label: str, value: Any) -> Any:
    """A PIL image, or None. An API call's image is text, which the host reads by its own rules.

    Raises UserError naming the control.
    """
    if value is None or hasattr(value, "convert"):
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        return Image.fromarray(value)
    if not isinstance(value, str):
        raise UserError(f'"{label}" is not an image: {type(value).__name__}')
    # Not at the top: it is only there for hosts that serve the API, and slow to import.
    from modules.api.api import decode_base64_to_image  # noqa: PLC0415

    try:
        image = decode_base64_to_image(value)
        # Only this reads the file to its end.
        image.load()
        return image
    except Exception as error:
        reason = getattr(error, "detail", None) or error
        raise UserError(f'"{label}" is not an image: {reason}') from error
