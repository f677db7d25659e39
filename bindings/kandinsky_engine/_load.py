"""Loads the compiled module `_core`, or explains why it cannot be loaded.

The module calls into the LibTorch of the torch package, whose C++ interface changes with every
minor version, so it works with only one of them. torch is imported first, so that its libraries
are in the process for `_core`.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from kandinsky_engine import _core

_PACKAGE = __package__ or "kandinsky_engine"
_MEND = (
    "Install it again with this Python: `python install.py` in the extension's folder (a restart "
    "of the web UI does that) uses a wheel that fits or builds it; `make build` in the repository "
    "builds it."
)


def _fail(what: str, mend: str = _MEND, cause: BaseException | None = None) -> NoReturn:
    text = f"The Kandinsky engine cannot be loaded: {what}\n{mend}"
    if cause is not None:
        text += f"\nThe error was: {type(cause).__name__}: {cause}"
    raise ImportError(text, name=_PACKAGE) from cause


def _minor(version: str) -> str:
    """ "2.13" of "2.13.0+cpu"."""
    return ".".join(version.partition("+")[0].split(".")[:2])


def _abi(cxx11: bool) -> str:
    return "the new std::string" if cxx11 else "the old std::string"


def _import(name: str) -> ModuleType:
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _check_interpreter() -> None:
    """torch's own import ends or hangs the process in any interpreter except the main one."""
    python = ctypes.PyDLL(None)
    here, main = (python[f"PyInterpreterState_{name}"] for name in ("Get", "Main"))
    here.restype = main.restype = ctypes.c_void_p
    if here() != main():
        _fail(
            "this is a subinterpreter, and torch works in a process's main interpreter only.",
            "Import it in the main interpreter or in a process of its own; under mod_wsgi set "
            "WSGIApplicationGroup to %{GLOBAL}.",
        )


def _check_torch(built_for: str, cxx11_abi: bool) -> None:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        _fail(
            f"{sys.executable} has no torch that can be imported, and the engine needs torch "
            f"{_minor(built_for)}.",
            f"Install it into this Python: pip install 'torch=={_minor(built_for)}.*'",
            error,
        )
    running = str(torch.__version__)
    if _minor(running) != _minor(built_for):
        _fail(f"it was built for torch {built_for}, but this Python has torch {running}.")
    if bool(torch.compiled_with_cxx11_abi()) != cxx11_abi:
        _fail(
            f"it was built for a torch {built_for} with {_abi(cxx11_abi)}, but this torch "
            f"{running} has {_abi(not cxx11_abi)}."
        )


def _causes(error: ImportError, built_for_python: str) -> str:
    """The most likely cause of a failed import."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        if here != built_for_python:
            return f"it was built for Python {built_for_python}, but this is Python {here}."
        return f"its file _core is missing in {Path(__file__).parent}."
    if "undefined symbol" in text:
        return "it and the loaded torch are of different builds."
    if "libkandinsky" in text:
        folder = Path(__file__).parent
        # Its name ends in the number of its C interface.
        for library in folder.glob("libkandinsky.so*"):
            return f"its library {library} is corrupt."
        return f"its library libkandinsky.so is missing in {folder}."
    if "GLIBC" in text:
        return "it was built on a newer system than this one."
    if "cannot open shared object file" in text:
        return "a library that it needs is missing on this machine; see the error below."
    return "its file _core cannot be loaded."


def load() -> ModuleType:
    """The module `_core`. Raises ImportError with the cause and the remedy."""
    try:
        info = _import("_build_info")
    except ModuleNotFoundError as error:
        if error.name != f"{_PACKAGE}._build_info":
            raise
        _fail(f"it has not been built; {Path(__file__).parent} has only its Python files.")
    _check_interpreter()
    _check_torch(info.TORCH_VERSION, info.CXX11_ABI)
    try:
        module = _import("_core")
    except ImportError as error:
        _fail(_causes(error, info.PYTHON), cause=error)
    if module.version() != info.VERSION:
        _fail(
            f"its parts are of different versions: the package {info.VERSION}, the library "
            f"{module.version()}."
        )
    return module


if TYPE_CHECKING:
    core = _core
else:
    core = load()
