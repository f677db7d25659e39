"""What importing the package says when the engine cannot work in this Python."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.built import PACKAGE

TORCH = """
__version__ = "{version}"
def compiled_with_cxx11_abi():
    return {abi}
"""
LIBRARIES = """
import ctypes
ctypes.CDLL({library!r}, ctypes.RTLD_GLOBAL)
"""


def built_for() -> dict[str, str]:
    """What _build_info.py says, as text."""
    text = (PACKAGE / "_build_info.py").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([A-Z]\w+) = (.+)$", text))


def torch_version() -> str:
    return built_for()["TORCH_VERSION"].strip('"')


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the built package that a test may break."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "copy" / "kandinsky_engine"))


def change_info(package: Path, name: str, value: str) -> None:
    path = package / "_build_info.py"
    text, count = re.subn(rf"(?m)^{name} = .+$", f"{name} = {value}", path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


def fake_torch(package: Path, version: str, abi: bool, libraries: str = "") -> None:
    """A torch.py before the real one: enough for the checks, without its two seconds to import."""
    (package.parent / "torch.py").write_text(TORCH.format(version=version, abi=abi) + libraries)


def libraries_of_torch(package: Path) -> None:
    """One that the engine works with: it needs no more of torch than its libraries."""
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    library = str(Path(spec.origin).parent / "lib" / "libtorch_cpu.so")
    abi = built_for()["CXX11_ABI"] == "bool(1)"
    fake_torch(package, torch_version(), abi, LIBRARIES.format(library=library))


def import_it(package: Path, program: str = "import kandinsky_engine") -> str:
    """The last lines of a Python that imports the package; "" if that works."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n{program}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    assert "ImportError: The Kandinsky engine cannot be loaded: " in done.stderr, done.stderr
    return done.stderr.rpartition("ImportError: The Kandinsky engine cannot be loaded: ")[2]


def test_the_whole_copy_loads(package: Path) -> None:
    assert import_it(package) == ""


@pytest.mark.parametrize("version", ["2.1.2+cu121", "99.0.0"])
def test_another_torch(package: Path, version: str) -> None:
    fake_torch(package, version, abi=True)
    text = import_it(package)
    assert f"built for torch {torch_version()}, but this Python has torch {version}" in text
    assert "install.py" in text
    assert "make build" in text


def test_another_abi(package: Path) -> None:
    ours = built_for()["CXX11_ABI"] == "bool(1)"
    fake_torch(package, torch_version(), abi=not ours)
    text = import_it(package)
    assert "std::string" in text
    assert "install.py" in text


def test_another_build_of_the_same_torch_may_be_used(package: Path) -> None:
    """Patch releases and CPU and CUDA builds keep the interface: the next check is reached."""
    minor = ".".join(torch_version().split(".")[:2])
    fake_torch(package, f"{minor}.99+cu130", abi=built_for()["CXX11_ABI"] == "bool(1)")
    next(package.glob("_core*.so")).unlink()
    assert "_core is missing" in import_it(package)


def test_no_torch(package: Path) -> None:
    (package.parent / "torch.py").write_text("raise ImportError('libcudart.so.12 is missing')")
    text = import_it(package)
    assert "has no torch that can be imported" in text
    assert "pip install" in text
    assert "libcudart.so.12 is missing" in text


def test_not_built(package: Path) -> None:
    (package / "_build_info.py").unlink()
    assert "has not been built" in import_it(package)


def test_built_for_another_python(package: Path) -> None:
    next(package.glob("_core*.so")).unlink()
    change_info(package, "PYTHON", '"3.1"')
    fake_torch(package, torch_version(), abi=built_for()["CXX11_ABI"] == "bool(1)")
    assert "built for Python 3.1, but this is Python 3." in import_it(package)


def test_missing_library(package: Path) -> None:
    libraries_of_torch(package)
    next(package.glob("libkandinsky.so*")).unlink()
    text = import_it(package)
    assert f"libkandinsky.so is missing in {package}" in text
    assert "The error was: " in text


def test_torch_that_was_not_loaded(package: Path) -> None:
    """The right version, but its libraries are not in the process."""
    fake_torch(package, torch_version(), abi=built_for()["CXX11_ABI"] == "bool(1)")
    text = import_it(package)
    assert "a library that it needs is missing" in text
    assert "libtorch_cpu.so" in text or "libc10.so" in text


def test_damaged_module(package: Path) -> None:
    libraries_of_torch(package)
    next(package.glob("_core*.so")).write_bytes(b"half a download")
    text = import_it(package)
    assert "its file _core cannot be loaded" in text
    assert "The error was: ImportError: " in text


def test_parts_of_different_versions(package: Path) -> None:
    libraries_of_torch(package)
    change_info(package, "VERSION", '"99.0.0"')
    assert "different versions: the package 99.0.0, the library " in import_it(package)


def test_a_mended_package_loads_in_the_same_process(package: Path) -> None:
    """A web page that showed the reason must not need a restart of its host."""
    libraries_of_torch(package)
    library = next(package.glob("libkandinsky.so*"))
    library.rename(package / "away")
    program = f"""
from pathlib import Path
try:
    import kandinsky_engine
except ImportError:
    Path({str(package / "away")!r}).rename({str(library)!r})
else:
    raise SystemExit("it loaded without its library")
import kandinsky_engine
kandinsky_engine.samplers()
"""
    assert import_it(package, program) == ""
