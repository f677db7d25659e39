"""What was compiled against the frozen header of this ABI version runs with today's library."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import built, c_header

# A host of plugins: has torch in the process, as libkandinsky.so wants it.
HOST = """
import ctypes, sys
import torch
plugin = ctypes.CDLL(sys.argv[1])
sys.exit(plugin.generate(*[argument.encode() for argument in sys.argv[2:]]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.make_models(tmp_path_factory.mktemp("models"))


def compiled(
    folder: Path, root: Path, header: str, library: Path, torch_lib: Path, *flags: str
) -> Path:
    """generate.c with the frozen header under its usual name."""
    frozen = root / "tests/contract/frozen"
    name = f"kandinsky-{c_header.abi_version(header)}.h"
    (folder / "include").mkdir()
    shutil.copyfile(frozen / name, folder / "include/kandinsky.h")
    target = folder / "generate"
    subprocess.run(
        [
            *("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder / 'include'}", *flags),
            *("-o", target, frozen / "generate.c", f"-L{library.parent}", "-lkandinsky"),
            f"-Wl,-rpath-link,{torch_lib}",
        ],
        check=True,
    )
    return target


@pytest.mark.parametrize("kind", ["program", "plugin"])
def test_what_was_compiled_before_still_runs(
    tmp_path: Path,
    root: Path,
    header: str,
    library_path: Path,
    torch_lib: Path,
    model: Path,
    kind: str,
) -> None:
    flags = ["-shared", "-fPIC"] if kind == "plugin" else []
    target = compiled(tmp_path, root, header, library_path, torch_lib, *flags)
    image = tmp_path / "image.png"
    command = [sys.executable, "-c", HOST, target] if kind == "plugin" else [target]
    places = f"{library_path.parent}:{torch_lib}" if kind == "program" else str(library_path.parent)
    done = subprocess.run(
        [*command, model, image],
        env={**os.environ, "LD_LIBRARY_PATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert image.read_bytes().startswith(b"\x89PNG")
