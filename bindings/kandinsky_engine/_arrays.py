"""Arrays of any kind -> numpy arrays of what `_core` takes; it copies them and checks the shapes.

All raise InvalidArgumentError, with the argument's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine._arguments import several
from kandinsky_engine.errors import InvalidArgumentError


class HasArray(Protocol):
    """Such as torch's tensors."""

    def __array__(self) -> np.ndarray[Any, Any]: ...


class HasArrayInterface(Protocol):
    """Such as Pillow's images."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


AnyArray: TypeAlias = NDArray[Any] | HasArray | HasArrayInterface
"""A numpy array of any strides, a torch tensor on the CPU, or an image of Pillow as it is, not
turned by its EXIF. Images are uint8: [H, W] or [H, W, 1] grey, [H, W, 3] RGB, [H, W, 4] RGBA, whose
transparent places become white. Other numbers are refused: what they mean is not guessed at. Masks
may be bool, too: True is white."""

_FLOAT32 = np.dtype(np.float32)
_UINT8 = np.dtype(np.uint8)

# What an image or a mask of other numbers could mean is not guessed at.
_FROM_FLOATS = "; (255 * array).round().astype('uint8') converts one of numbers from 0 to 1"
# Of Pillow's modes, those whose numbers have no range of their own.
_DEEP_MODES = ("I", "F")


def _read(name: str, value: object, wanted: np.dtype[Any]) -> NDArray[Any]:
    """Any array, without a copy where that is possible."""
    if isinstance(value, np.ndarray):
        return value
    try:
        if not (hasattr(value, "__array__") or hasattr(value, "__array_interface__")):
            value = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidArgumentError(
            f"{name}: a numpy array of {wanted} is needed, got {type(value).__name__}"
        ) from None
    except Exception as error:  # Pillow reads the file here
        raise _unreadable(name, value, error) from error
    try:
        return np.asarray(value)
    except Exception as error:  # what keeps a tensor on a GPU from being read says how to mend it
        raise _unreadable(name, value, error) from error


def _unreadable(name: str, value: object, error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{name}: this {type(value).__name__} cannot be read as an array: {error}"
    )


def _check(name: str, array: NDArray[Any], wanted: np.dtype[Any], hint: str = "") -> None:
    if array.dtype != wanted:
        raise InvalidArgumentError(
            f"{name}: the numbers must be {wanted}, got {array.dtype} {list(array.shape)}{hint}"
        )


def floats(name: str, value: object) -> NDArray[np.float32]:
    array = _read(name, value, _FLOAT32)
    _check(name, array, _FLOAT32)
    return array


def _from_pillow(name: str, image: Any) -> Any:
    """An image of Pillow, in one of the modes that `_core` knows; anything else as it is."""
    mode = getattr(image, "mode", None)
    if not isinstance(mode, str) or not callable(getattr(image, "convert", None)):
        return image
    if mode.startswith(_DEEP_MODES):
        raise InvalidArgumentError(
            f'{name}: a Pillow image of mode "{mode}" does not define which number is white; '
            "load_image() reads such files, and Image.point() scales to 8 bits"
        )
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        wanted = "RGBA"
    else:
        wanted = "L" if mode in ("1", "L") else "RGB"
    try:
        return image if mode == wanted else image.convert(wanted)
    except Exception as error:
        raise _unreadable(name, image, error) from error


def pixels(name: str, value: object) -> NDArray[np.uint8]:
    """One array, or an image of Pillow."""
    array = _read(name, _from_pillow(name, value), _UINT8)
    _check(name, array, _UINT8, _FROM_FLOATS if array.dtype.kind == "f" else "")
    return array


def _mask(name: str, value: object) -> NDArray[np.uint8]:
    """The same, or bool: True is white."""
    array = _read(name, _from_pillow(name, value), _UINT8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    hint = _FROM_FLOATS if array.dtype.kind == "f" else "; array > 0 makes a mask of bool"
    _check(name, array, _UINT8, hint)
    if array.size > 0 and array.max() == 1:
        raise InvalidArgumentError(
            f"{name}: its numbers are 0 and 1, but white is 255; array > 0 makes a mask of bool"
        )
    return array


def _list(name: str, values: Iterable[AnyArray]) -> list[AnyArray]:
    """A list of arrays."""
    # The rows of a single image would pass for grey images.
    shape = getattr(values, "shape", None)
    if shape is not None and len(shape) < 4:
        raise InvalidArgumentError(
            f"{name}: a list of images is needed, got one array {list(shape)}"
        )
    # More than any batch has, so that the engine says what a batch may be.
    return several(name, values, "images", most=100)


def images(name: str, values: Iterable[AnyArray]) -> list[NDArray[np.uint8]]:
    return [pixels(f"{name}[{i}]", value) for i, value in enumerate(_list(name, values))]


def masks(name: str, values: Iterable[AnyArray]) -> list[NDArray[np.uint8]]:
    return [_mask(f"{name}[{i}]", value) for i, value in enumerate(_list(name, values))]
