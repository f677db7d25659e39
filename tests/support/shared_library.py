"""Facts about a compiled shared library, read with binutils."""

import re
import subprocess
from pathlib import Path

_RUN_PATH = re.compile(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]")


def exported_symbols(library: Path) -> set[str]:
    """Every symbol that the library defines for others."""
    output = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {line.split()[0].split("@")[0] for line in output.splitlines() if line.strip()}


def run_paths(library: Path) -> list[str]:
    """The folders baked into the library as RPATH or RUNPATH."""
    output = subprocess.run(
        ["readelf", "--dynamic", "--wide", library], capture_output=True, text=True, check=True
    ).stdout
    return [folder for entry in _RUN_PATH.findall(output) for folder in entry.split(":")]
