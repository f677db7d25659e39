"""A wheel of the built package, as `make wheel` packs it and install.py takes it."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from support.built import PACKAGE, ROOT

PYTHON = ROOT / ".venv/bin/python"
PROGRAMS = ("c++", "cc", "clang++", "cmake", "g++", "gcc", "make", "ninja")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packing also installs it where no compiler is and generates with it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [
            *(ROOT / "tests/tools/with_requirements.sh", ".venv-wheel"),
            *("bindings/wheel/requirements.txt", "bindings/wheel/make_wheel.py"),
            *("--output", folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "generated with torch " in done.stdout
    (wheel,) = folder.glob("*.whl")
    assert f"{wheel}: " in done.stdout
    return wheel


def test_it_holds_the_package_and_every_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert {f"kandinsky_engine/{name}" for name in files} <= names
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    libraries = ("fmt", "jpeg", "nlohmann_json", "png", "pybind11", "sentencepiece", "utf8proc")
    wanted = {f"LICENSE.{library}" for library in (*libraries, "webp", "zlib")}
    assert licences - {""} == {"LICENSE", *wanted}


def test_the_installer_takes_it_where_no_compiler_is(wheel: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("install.py", "pyproject.toml", "CMakeLists.txt"):
        checkout.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, checkout)
    for name in ("bindings", "core", "extension", "third_party"):
        shutil.copytree(ROOT / name, checkout / name)
    path = tmp_path / "no-programs"
    assert not any(shutil.which(program, path=str(path)) for program in PROGRAMS)
    environment = {**os.environ, "PATH": str(path), "WEBUI_LAUNCH_LIVE_OUTPUT": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [PYTHON, checkout / "install.py", "--wheels", wheel.parent],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f", from {wheel}\n")
    (engine,) = (checkout / "engine").glob("*/kandinsky_engine")
    program = "import kandinsky_engine; print(kandinsky_engine.__file__)"
    answer = subprocess.run(
        [PYTHON, "-c", program],
        env={**environment, "PYTHONPATH": str(engine.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == f"{engine / '__init__.py'}\n"
