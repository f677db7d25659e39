"""Where the engine built for this Python and this torch lives.

Used by install.py too, so it imports little.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The extension's folder, which is this repository's."""

PACKAGE = "kandinsky_engine"


def python_tag() -> str:
    """Such as "cp311"."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}"


def torch_version() -> str:
    """The version of the installed torch, from its metadata: importing it takes seconds.

    Raises importlib.metadata.PackageNotFoundError if there is none.
    """
    return importlib.metadata.version("torch")


def engine_folder(root: Path = ROOT) -> Path:
    """The folder to put on `sys.path`, such as engine/2.13.0-cp311. Nothing says that it exists."""
    return root / "engine" / f"{torch_version()}-{python_tag()}"
