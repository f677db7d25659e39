"""Facts about a compiled shared library, read with binutils."""

import re
import subprocess
from pathlib import Path

_NEEDED = re.compile(r"\(NEEDED\).*\[(.*)\]")
_RUN_PATH = re.compile(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]")


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _symbols(library: Path, which: str) -> set[str]:
    output = _output("nm", "--dynamic", which, "--format=posix", library)
    return {line.split()[0].split("@")[0] for line in output.splitlines() if line.strip()}


def exported_symbols(library: Path) -> set[str]:
    """Every symbol that the library defines for others."""
    return _symbols(library, "--defined-only")


def imported_symbols(library: Path) -> set[str]:
    """Every symbol that the library wants from others."""
    return _symbols(library, "--undefined-only")


def needed(library: Path) -> list[str]:
    """The names of the libraries that are loaded with it."""
    return _NEEDED.findall(_output("readelf", "--dynamic", "--wide", library))


def run_paths(library: Path) -> list[str]:
    """The folders baked into the library as RPATH or RUNPATH."""
    entries = _RUN_PATH.findall(_output("readelf", "--dynamic", "--wide", library))
    return [folder for entry in entries for folder in entry.split(":")]


def soname(library: Path) -> str:
    """The name that programs linked with the library ask for."""
    found = re.search(r"\(SONAME\).*\[(.*)\]", _output("readelf", "--dynamic", "--wide", library))
    return found[1] if found else ""
