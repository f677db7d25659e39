"""What the contract tests share: the repository, the built library, the checks in support/."""

import ctypes
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def header(root: Path) -> str:
    return (root / "core/include/kandinsky.h").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def library_path(root: Path) -> Path:
    path = root / "build/libkandinsky.so"
    assert path.is_file(), f"{path} is missing: run `make build` first"
    return path


@pytest.fixture(scope="session")
def torch_lib(library_path: Path) -> Path:
    """Where the LibTorch is that the library was built with."""
    cache = (library_path.parent / "CMakeCache.txt").read_text(encoding="utf-8")
    folder = re.search(r"(?m)^KANDINSKY_TORCH_LIB_DIR:INTERNAL=(.*)$", cache)
    assert folder
    return Path(folder[1])


@pytest.fixture(scope="session")
def library(library_path: Path) -> ctypes.CDLL:
    """The library, loaded as a host loads it: after torch."""
    import torch  # noqa: F401, PLC0415  (here, so that the other tests do not pay for it)

    return ctypes.CDLL(str(library_path))
