"""Every status becomes its own class, which is also the builtin exception that fits."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from support.built import PACKAGE

import kandinsky_engine as kandinsky
from kandinsky_engine import errors

BUILTINS = {
    "InvalidArgumentError": ValueError,
    "NotFoundError": FileNotFoundError,
    "CorruptFileError": ValueError,
    "UnsupportedError": NotImplementedError,
    "OutOfMemoryError": MemoryError,
    "CancelledError": Exception,
    "BusyError": RuntimeError,
    "IncompatibleError": RuntimeError,
    "InternalError": RuntimeError,
    "IoError": OSError,
}


@pytest.mark.parametrize("name", BUILTINS)
def test_class_is_ours_and_the_builtin(name: str) -> None:
    error = getattr(kandinsky, name)("the text")
    assert isinstance(error, kandinsky.KandinskyError)
    assert isinstance(error, BUILTINS[name])
    assert str(error) == "the text"


def test_there_is_a_class_for_every_status() -> None:
    library = ctypes.CDLL(str(next(PACKAGE.glob("libkandinsky.so*"))))
    library.kandinsky_status_name.restype = ctypes.c_char_p
    names = []
    for status in range(1, len(BUILTINS) + 1):
        words = library.kandinsky_status_name(status).decode().split()
        names.append("".join(word.capitalize() for word in words).removesuffix("Error") + "Error")
    assert names == list(BUILTINS)
    assert [getattr(kandinsky, name).status for name in names] == list(range(1, len(names) + 1))
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert classes == {*BUILTINS, "KandinskyError"}


def test_invalid_argument() -> None:
    with pytest.raises(kandinsky.InvalidArgumentError, match="array"):
        kandinsky.save_image("image.png", np.zeros((0, 4, 3), np.uint8))


def test_not_found(tmp_path: Path) -> None:
    for call in (kandinsky.Engine, kandinsky.describe_folder, kandinsky.Embeds.load):
        with pytest.raises(kandinsky.NotFoundError, match=str(tmp_path / "none")):
            call(tmp_path / "none")


def test_corrupt_file(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(kandinsky.CorruptFileError, match=r"model_index\.json"):
        kandinsky.describe_folder(tmp_path)


def test_unsupported(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "PotteryPipeline"}')
    with pytest.raises(kandinsky.UnsupportedError, match="PotteryPipeline"):
        kandinsky.Engine(tmp_path)


def test_message_survives_odd_paths(tmp_path: Path) -> None:
    with pytest.raises(kandinsky.NotFoundError, match="красный 円"):
        kandinsky.describe_folder(tmp_path / "красный 円")
