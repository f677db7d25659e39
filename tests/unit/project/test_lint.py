"""`make format`: everything that can be mended is, and what is left over is not passed over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = Path(__file__).parents[2] / "tools/lint.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with this script, this Python, and a C++ file for clang-format."""
    (tmp_path / "tests/tools").mkdir(parents=True)
    shutil.copy(LINT, tmp_path / "tests/tools/lint.sh")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".gitignore").write_text("/.venv\n")
    (tmp_path / "a.cpp").write_text("int  a;\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "a.cpp"], check=True)
    return tmp_path


def fix(checkout: Path, monkeypatch: pytest.MonkeyPatch, clang_format: str = "exit 0") -> int:
    tools = checkout / "bin"
    tools.mkdir()
    (tools / "clang-format").write_text(f"#!/bin/sh\n{clang_format}\n")
    (tools / "clang-format").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    command = [checkout / "tests/tools/lint.sh", "fix"]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_formatting_is_mended_beside_what_cannot_be(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = checkout / "a.py"
    module.write_text("import os\nprint( unknown )\n")
    assert fix(checkout, monkeypatch) == 1
    assert module.read_text() == "print(unknown)\n"


def test_python_is_mended_where_cxx_cannot_be(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = checkout / "a.py"
    module.write_text("print( 1 )\n")
    assert fix(checkout, monkeypatch, "exit 3") == 1
    assert module.read_text() == "print(1)\n"


def test_nothing_left_is_good(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "a.py").write_text("import os\nprint( 1 )\n")
    assert fix(checkout, monkeypatch) == 0
