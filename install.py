"""Installs the engine for the torch of the Python that runs this: from a wheel if one fits, else by
building it. The host runs it at each of its starts.

    python install.py [--wheels FOLDER_OR_INDEX]

Wheels are looked for in the folder or on the index (https, as pip's --index-url) that --wheels or
the environment variable KANDINSKY_WHEELS names, then in extension/released-wheels.txt.

With nothing to do it takes a fraction of a second: torch is not imported, only its metadata and
version file are read. An engine installed by other means is enough if it was built for this torch
and this Python. It installs nothing into the host's environment and writes nothing outside
`engine/` beside this file:

    engine/<torch version>-<python tag>/         the engine, and the stamp of what it was built from
    engine/<torch version>-<python tag>.build/   CMake's folder: an update compiles what changed
    engine/<torch version>-<python tag>.log      what CMake and the compiler said
    engine/lock                                  held while one builds; says how far it is

KANDINSKY_SKIP_BUILD=1 leaves everything as it is, with wheels, too. A failure ends with exit code 1
and says what to do; the host goes on, and the script's entry in it shows that there is no engine.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "extension"))

from kandinsky_ext.engine_folder import PACKAGE, engine_folder, python_tag, torch_version  # noqa: E402
from kandinsky_ext.progress import REPORT_SECONDS, Progress, progress_stream  # noqa: E402

RELEASED_WHEELS = ROOT / "extension" / "released-wheels.txt"
SOURCES = ("CMakeLists.txt", "pyproject.toml", "core", "bindings", "third_party")
FILES = "files"
"""In the stamp: the engine's own files with their sizes."""
CMAKE_MINIMUM = (3, 25)
BYTES_PER_JOB = 2 << 30
"""A file that includes torch takes up to this much memory to compile."""
LOG_TAIL = 25
ERROR_LINES = 15
LINE_LENGTH = 300
WAIT_SECONDS = 0.5
NOT_NEEDED = (
    *("ccache", "python3-venv", "python3-dev", "fonts-dejavu-core"),
    *("libcli11-dev", "libevent-dev", "libssl-dev"),
)
"""Of the packages for building the whole project.

The headers needed are those of this Python, whatever its origin.
"""


ADVICE = (
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full: a build needs about 500 MB beside this file. Free some space and "
        "start again.",
    ),
    (
        r"Killed|cannot allocate memory|out of memory allocating|virtual memory exhausted",
        "The compiler ran out of memory: close other programs and start again; compiled files are "
        "kept.",
    ),
    (
        r"pip cannot download|Could not resolve host|[Dd]ownload.* failed|unable to access",
        "The sources of a library could not be downloaded: check the connection and the proxy "
        "of pip and git, and start again.",
    ),
    (
        r"is not able to compile a simple test program|No CMAKE_C\w*_COMPILER could be found",
        "The C++ compiler does not work. Install another (Debian, Ubuntu: sudo apt-get install "
        "g++), or set the environment variable CXX to one, and start again.",
    ),
)
"""What to do, by what a failed build said."""


class BuildError(Exception):
    """The installation cannot go on; the message says why and what to do."""


def say(text: str) -> None:
    print(f"Kandinsky: {text}", flush=True)


def torch_folder() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise PackageNotFoundError("torch")
    return Path(spec.origin).parent


def torch_build() -> str:
    """Tells builds of torch apart that have one version, such as those for CPU and CUDA, without
    importing it.
    """
    return hashlib.sha256((torch_folder() / "version.py").read_bytes()).hexdigest()


def torch_has_cxx11_abi() -> bool:
    """Whether torch has the new std::string, by what it tells CMake: with the old one it names it,
    and later versions, which have the new one only, name none.
    """
    config = torch_folder() / "share" / "cmake" / "Torch" / "TorchConfig.cmake"
    try:
        return "_GLIBCXX_USE_CXX11_ABI=0" not in config.read_text(encoding="utf-8")
    except OSError:
        return True


def minor(version: str) -> str:
    """ "2.13" of "2.13.0+cpu"."""
    return ".".join(version.partition("+")[0].split(".")[:2])


def installed_engine_fits() -> bool:
    """Whether there is an engine installed by other means that this torch and this Python can load,
    by what it says of its build. One that does not fit would never give way to the right one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent
    if not any(folder.glob("libkandinsky.so*")) or not any(folder.glob("_core.*.so")):
        return False
    built: dict[str, Any]
    try:
        built = runpy.run_path(str(folder / "_build_info.py"))
    except Exception:  # not there, or broken: no engine either way
        return False
    return (
        minor(str(built.get("TORCH_VERSION"))) == minor(torch_version())
        and built.get("CXX11_ABI") == torch_has_cxx11_abi()
        and built.get("PYTHON") == f"{sys.version_info.major}.{sys.version_info.minor}"
    )


def sources_hash() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def wanted_stamp() -> dict[str, str]:
    """What an engine must have been built from to be the right one."""
    return {
        "torch": torch_version(),
        "torch_build": torch_build(),
        "python": python_tag(),
        "sources": sources_hash(),
    }


def read_stamp(folder: Path) -> dict[str, str] | None:
    """The stamp of a whole engine; None for anything else, such as what an interrupted run left."""
    try:
        stamp = json.loads((folder / "stamp.json").read_text(encoding="utf-8"))
        is_whole = stamp.pop(FILES) == file_sizes(folder / PACKAGE)
    except (OSError, ValueError, LookupError):
        return None
    return stamp if is_whole else None


def file_sizes(package: Path) -> dict[str, int]:
    """The files of a package; Python adds to its folder, but only what it compiles."""
    return {
        str(file.relative_to(package)): file.stat().st_size
        for file in sorted(package.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def missing_debian_packages() -> list[str] | None:
    """Of the packages that a build needs, those not installed; None where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return None
    missing = []
    for line in (ROOT / "third_party" / "debian-packages.txt").read_text("utf-8").splitlines():
        words = line.split()
        if words[1:2] != ["build"] or words[0].startswith("#") or words[0] in NOT_NEEDED:
            continue
        query = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${db:Status-Status}", words[0]],
            capture_output=True,
            text=True,
            check=False,
        )
        if query.returncode != 0 or query.stdout != "installed":
            missing.append(words[0])
    if not has_python_headers():
        missing.append(f"python{sys.version_info.major}.{sys.version_info.minor}-dev")
    return missing


def has_python_headers() -> bool:
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def missing_tools() -> list[str]:
    """What no build can do without, in words."""
    missing = []
    cmake = shutil.which("cmake")
    if cmake is None:
        missing.append("cmake")
    else:
        answer = subprocess.run([cmake, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"(\d+)\.(\d+)", answer.stdout)
        if found is None or tuple(map(int, found.groups())) < CMAKE_MINIMUM:
            has = found.group(0) if found else "of an unknown version"
            needs = ".".join(map(str, CMAKE_MINIMUM))
            missing.append(f"cmake {needs} or newer (this one is {has})")
    if not any(map(shutil.which, ("ninja", "make"))):
        missing.append("ninja")
    if not any(map(shutil.which, filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")))):
        missing.append("a C++ compiler")
    if not has_python_headers():
        missing.append("the Python headers")
    if importlib.util.find_spec("pip") is None:
        # It downloads the sources of a library.
        missing.append(f'pip ("{sys.executable}" -m ensurepip brings it)')
    return missing


def how_to_install() -> str:
    """The command that brings what is missing, or a list for systems without dpkg.

    Empty if nothing is missing.
    """
    missing = missing_debian_packages()
    if missing is None:
        return (
            "Needed are CMake, Ninja, a C++20 compiler, the Python headers and the libraries in "
            f"{ROOT / 'third_party' / 'debian-packages.txt'}."
        )
    if not missing:
        return ""
    return f"Install what is missing with: sudo apt-get install {' '.join(missing)}"


def jobs() -> int:
    """Compilers to run at once: as many as cores, and as memory allows."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        available = int(re.search(r"MemAvailable:\s*(\d+)", text).group(1)) * 1024  # type: ignore[union-attr]
    except (OSError, AttributeError):
        available = BYTES_PER_JOB
    return max(1, min(len(os.sched_getaffinity(0)), available // BYTES_PER_JOB))


def run(command: list[str], log: TextIO, progress: Progress, what: str) -> None:
    """Runs a command, all into the log, its progress to the person. Raises BuildError."""
    log.write(f"\n$ {' '.join(command)}\n")
    lines: list[str] = []
    with (
        progress.running(),
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            lines.append(line)
            progress.take(line)
    log.flush()
    if process.returncode != 0:
        raise BuildError(
            f"{what} failed:\n\n{first_error(lines)}\n"
            f"All of it is in {log.name}. {advice(''.join(lines))}"
        )


def first_error(lines: list[str]) -> str:
    """The lines from the first error on; the last ones where none is called so."""
    first = next(
        (i for i, line in enumerate(lines) if re.search(r"\b(fatal )?error\b[: ]", line, re.I)),
        None,
    )
    shown = lines[-LOG_TAIL:] if first is None else lines[first : first + ERROR_LINES]
    return "".join(
        line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + "...\n" for line in shown
    )


def advice(output: str) -> str:
    fitting = [text for pattern, text in ADVICE if re.search(pattern, output)]
    return " ".join([*fitting, how_to_install()]).strip()


def configure(build_folder: Path, log: TextIO, progress: Progress, *, fresh: bool) -> None:
    """Raises BuildError. Fresh forgets what CMake has found so far, but not what is compiled."""
    generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"
    if fresh:
        # CMake forgets its own generator then, but not that of what it fetches.
        for cache in list(build_folder.glob("*/**/CMakeCache.txt")):
            if f"\nCMAKE_GENERATOR:INTERNAL={generator}\n" not in cache.read_text("utf-8"):
                shutil.rmtree(cache.parent)
    command = ["cmake", "-S", str(ROOT), "-B", str(build_folder), "-G", generator]
    command += ["-DCMAKE_BUILD_TYPE=Release", f"-DKANDINSKY_PYTHON={sys.executable}"]
    command += ["-DKANDINSKY_CLI=OFF", "-DKANDINSKY_TESTS=OFF"]
    if shutil.which("ccache"):
        command += [f"-DCMAKE_{language}_COMPILER_LAUNCHER=ccache" for language in ("C", "CXX")]
    run([*command, *(["--fresh"] if fresh else [])], log, progress, "Configuring the engine")


def build(folder: Path, stamp: dict[str, str], log: TextIO, progress: Progress) -> None:
    """Configures, compiles, tries and puts into place. Raises BuildError."""
    build_folder = beside(folder, ".build")
    built_for = build_folder / "built-for.json"
    torch = {key: stamp[key] for key in ("torch", "torch_build", "python")}
    # CMake remembers what it asked torch; another torch of the same version must be asked again.
    if build_folder.exists() and read_json(built_for) != torch:
        shutil.rmtree(build_folder)
    build_folder.mkdir(exist_ok=True)
    built_for.write_text(json.dumps(torch), encoding="utf-8")
    # CMake remembers compilers and generators, too. One that has failed is not asked a second time.
    worked = build_folder / "worked"
    fresh = not worked.exists()
    worked.unlink(missing_ok=True)

    progress.begin("configuring")
    try:
        configure(build_folder, log, progress, fresh=fresh)
    except BuildError:
        if fresh:
            raise
        configure(build_folder, log, progress, fresh=True)
    progress.begin("compiling")
    compile_ = ["cmake", "--build", str(build_folder), "--target", "kandinsky_package"]
    run([*compile_, "--parallel", str(jobs())], log, progress, "Compiling the engine")
    worked.touch()

    new = beside(folder, ".new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(build_folder / "python" / PACKAGE, new / PACKAGE)
    put_into_place(folder, stamp, log, progress)


def beside(folder: Path, end: str) -> Path:
    return folder.with_name(folder.name + end)


def put_into_place(folder: Path, stamp: dict[str, str], log: TextIO, progress: Progress) -> None:
    """Tries the engine in the folder .new. One that was there stays until the new one works."""
    new, old = beside(folder, ".new"), beside(folder, ".old")
    progress.begin("trying the engine")
    attempt = f"import sys; sys.path.insert(0, {str(new)!r}); import {PACKAGE}"
    run([sys.executable, "-c", attempt], log, progress, "Loading the new engine")
    whole = {**stamp, FILES: file_sizes(new / PACKAGE)}
    (new / "stamp.json").write_text(json.dumps(whole), encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def checkout_version() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'(?m)^version *= *"([0-9.]+)"', text)
    assert found, "pyproject.toml names the version"
    return found[1]


def take_wheel(
    folder: Path, stamp: dict[str, str], named: str, log: TextIO, progress: Progress
) -> str | None:
    """Installs the first wheel that fits and works; gives where it was. Says why others do not."""
    from kandinsky_ext import wheels  # noqa: PLC0415  takes its time, and mostly there is nothing to do

    abi = torch_has_cxx11_abi()
    version = f"{checkout_version()}+{wheels.local_version(minor(stamp['torch']), abi)}"
    for offer in wheels.fitting(named, RELEASED_WHEELS, version, say):
        new = beside(folder, ".new")
        shutil.rmtree(new, ignore_errors=True)
        try:
            progress.begin(f"taking {offer.name}")
            with progress.running():
                wheels.unpack(offer, new, progress.count_bytes)
            put_into_place(folder, stamp, log, progress)
        except (wheels.WheelError, BuildError) as error:
            say(f"{offer.place} cannot be used. {error}")
        else:
            return offer.place
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return None


def read_json(file: Path) -> Any:
    """None for a file that is missing or broken."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextmanager
def locked(parent: Path) -> Iterator[TextIO]:
    """Waits until no other installer works here, and says so. Gives the lock's file, where the one
    that holds it writes how far it is.
    """
    import fcntl  # noqa: PLC0415  not on every system, and not needed when there is nothing to do

    with (parent / "lock").open("a+", encoding="utf-8") as file:
        began = time.monotonic()
        reported = began - REPORT_SECONDS
        stream = None
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pass
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                stream, reported = stream or progress_stream(), now
                file.seek(0)
                text = (
                    "Kandinsky: waiting for another start of the web UI, which builds the engine "
                    f"({file.read() or 'beginning'}); so far for {now - began:.0f} s"
                )
                with suppress(OSError):
                    print(text, file=stream, flush=True)
            time.sleep(WAIT_SECONDS)
        yield file


def has_engine(folder: Path, stamp: dict[str, str]) -> bool:
    """Whether there is nothing to do: one built here, or installed by other means."""
    return read_stamp(folder) == stamp or installed_engine_fits()


def check_tools() -> None:
    """Raises BuildError if no build can work here."""
    missing = missing_tools()
    if missing:
        raise BuildError(
            f"The engine cannot be built. Missing here: {', '.join(missing)}. {how_to_install()}"
        )


def install(named: str) -> None:
    """With wheels in the folder or on the index that is named, if any. Raises BuildError."""
    try:
        stamp = wanted_stamp()
        folder = engine_folder(ROOT)
    except PackageNotFoundError:
        raise BuildError(f"{sys.executable} has no torch to install the engine for.") from None
    if has_engine(folder, stamp):
        return
    if sys.platform != "linux":
        raise BuildError("So far the engine works only on Linux.")
    try:
        folder.parent.mkdir(exist_ok=True)
        with locked(folder.parent) as lock:
            if has_engine(folder, stamp):
                return
            progress = Progress(lock, progress_stream())
            with beside(folder, ".log").open("w", encoding="utf-8") as log:
                wheel = take_wheel(folder, stamp, named, log, progress)
                if wheel is None:
                    check_tools()
                    say(
                        f"building the engine for torch {stamp['torch']}; this takes some minutes, "
                        "once."
                    )
                    build(folder, stamp, log, progress)
    except OSError as error:
        raise BuildError(f"The engine cannot be installed in {folder.parent}: {error}") from error
    origin = f", from {wheel}" if wheel else ""
    say(f"the engine for torch {stamp['torch']} is in {folder}{origin}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Installs the engine for the torch of this Python."
    )
    parser.add_argument(
        "--wheels",
        metavar="FOLDER_OR_INDEX",
        default=os.environ.get("KANDINSKY_WHEELS", ""),
        help="folder or index to search for a wheel before building (default: $KANDINSKY_WHEELS)",
    )
    arguments = parser.parse_args()
    if os.environ.get("KANDINSKY_SKIP_BUILD") == "1":
        return 0
    try:
        install(arguments.wheels)
    except BuildError as failure:
        say(f"{failure}\nKandinsky: the web UI works without it; the next start tries again.")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next start resumes.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
