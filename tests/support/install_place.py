"""A checkout in which install.py runs as the host runs it: a process of its own, in the host's
folder, with a torch it must not import.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"

CMAKE = r"""#!/bin/sh
# Stands for CMake: configures by noting its arguments, builds by writing a package.
echo "$@" >> "$CMAKE_LOG"
if [ "$1" = --version ]; then echo "cmake version ${CMAKE_VERSION:-3.25.1}"; exit 0; fi
if [ "$1" = -S ]; then
  case "$*" in *--fresh*) rm -f "$4/CMakeCache.txt";; esac
  if [ -n "$FAIL_CONFIGURE" ]; then echo "CMake Error: sentencepiece was not found"; exit 1; fi
  touch "$4/CMakeCache.txt"; exit 0
fi
echo "[1/2] Building CXX object engine.cpp.o"
if [ -n "$BUILD_SECONDS" ]; then sleep "$BUILD_SECONDS"; fi
if [ -n "$FAIL_BUILD" ]; then echo "engine.cpp:7: error: no"; exit 2; fi
echo "[2/2] Linking _core.so"
mkdir -p "$2/python/kandinsky_engine"
echo "${ENGINE_SOURCE:-version = 1}" > "$2/python/kandinsky_engine/__init__.py"
"""


class Place:
    """A checkout with an install.py, a fake torch, and tools made of shell."""

    def __init__(self, folder):
        self.root = folder / "extension folder"
        self.python_path = folder / "site"
        self.tools = folder / "tools"
        self.host = folder / "host"
        self.cmake_log = folder / "cmake.log"
        for path in (self.tools, self.host, self.root / "extension" / "kandinsky_ext"):
            path.mkdir(parents=True)
        shutil.copy(ROOT / "install.py", self.root)
        package = self.root / "extension" / "kandinsky_ext"
        for name in ("__init__.py", "engine_folder.py", "progress.py", "wheels.py"):
            shutil.copy(ROOT / "extension" / "kandinsky_ext" / name, package)
        text = (package / "progress.py").read_text(encoding="utf-8")
        quick = text.replace("\nREPORT_SECONDS = 10\n", "\nREPORT_SECONDS = 0.25\n")
        assert quick != text
        (package / "progress.py").write_text(quick, encoding="utf-8")
        shutil.copy(ROOT / "extension" / "released-wheels.txt", self.root / "extension")
        for name in ("CMakeLists.txt", "pyproject.toml", "core/engine.cpp", "bindings/m.cpp"):
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text('version = "1.2.3"\n')
        (self.root / "third_party").mkdir()
        (self.root / "third_party" / "debian-packages.txt").write_text(
            "# package, who, why\n"
            "cmake build the build system\n"
            "libsentencepiece-dev build the tokenizer\n"
            "libzzz-dev build a library that nobody has\n"
            "chromium test the page\n"
        )
        self.set_torch("9.9.9")
        self.tool("cmake", CMAKE)
        self.tool("ninja", "#!/bin/sh\n")
        self.tool("g++", "#!/bin/sh\n")
        self.tool(
            "dpkg-query",
            "#!/bin/sh\nfor last; do :; done\n"
            'case "$last" in libzzz-dev) exit 1;; *) printf installed;; esac\n',
        )

    def tool(self, name, text):
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)

    def set_torch(self, version, build="cpu", old_abi=False):
        """A torch that fails when it is imported."""
        shutil.rmtree(self.python_path, ignore_errors=True)
        (self.python_path / "torch").mkdir(parents=True)
        (self.python_path / "torch" / "__init__.py").write_text("raise SystemExit('imported')")
        (self.python_path / "torch" / "version.py").write_text(f"build = {build!r}")
        if old_abi:
            config = self.python_path / "torch" / "share" / "cmake" / "Torch" / "TorchConfig.cmake"
            config.parent.mkdir(parents=True)
            config.write_text('set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")')
        info = self.python_path / f"torch-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")

    def install_engine(self, *info):
        """A package as `pip install` leaves it, but that nobody may import."""
        package = self.python_path / "kandinsky_engine"
        package.mkdir()
        (package / "__init__.py").write_text("raise SystemExit('imported')")
        for name in ("libkandinsky.so.1", "_core.cpython-311.so"):
            (package / name).touch()
        if info:
            (package / "_build_info.py").write_text("\n".join(info))

    def environment(self, **more):
        # Shell tools only: nothing of this machine's real compilers.
        path = f"{self.tools}:/usr/bin-of-this-test"
        for name in ("sleep", "mkdir", "touch", "cat", "rm"):
            if not (self.tools / name).exists():
                (self.tools / name).symlink_to(shutil.which(name))
        return {
            "PATH": path,
            "PYTHONPATH": str(self.python_path),
            "CMAKE_LOG": str(self.cmake_log),
            "HOME": str(self.host),
            # A captured installer may write to the terminal it was started from; tests have none to
            # offer.
            "WEBUI_LAUNCH_LIVE_OUTPUT": "1",
            **more,
        }

    def start(self, *arguments, **more):
        return subprocess.Popen(
            [sys.executable, str(self.root / "install.py"), *arguments],
            cwd=self.host,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, **more):
        process = self.start(*arguments, **more)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def engine(self, version="9.9.9"):
        return self.root / "engine" / f"{version}-{TAG}"

    def cmake_calls(self):
        text = self.cmake_log.read_text() if self.cmake_log.exists() else ""
        return [line for line in text.splitlines() if line != "--version"]
