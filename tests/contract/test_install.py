"""What `cmake --install` gives to C and C++ programs, which are built from that tree alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import c_header, shared_library

C_PROGRAM = r"""
#include <kandinsky.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  kandinsky_options* options = NULL;
  kandinsky_engine* engine = NULL;
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", KANDINSKY_VERSION_MAJOR, KANDINSKY_VERSION_MINOR,
           KANDINSKY_VERSION_PATCH);
  if (strcmp(version, kandinsky_version()) != 0) return 2;
  if (kandinsky_abi_version() != KANDINSKY_ABI_VERSION) return 3;
  if (kandinsky_options_new("engine", &options) != KANDINSKY_OK) return 4;
  kandinsky_options_set_text(options, "model_dir", "no such folder");
  if (kandinsky_engine_open(options, &engine) != KANDINSKY_NOT_FOUND) return 5;
  printf("%s: %s\n", kandinsky_version(), kandinsky_last_error());
  kandinsky_options_free(options);
  return 0;
}
"""
CXX_PROGRAM = r"""
#include <iostream>
#include <kandinsky.hpp>

int main() {
  try {
    kandinsky::Engine engine(kandinsky::Options("engine").set("model_dir", "no such folder"));
  } catch (const kandinsky::StatusError& error) {
    std::cout << kandinsky_version() << ": " << error.what() << "\n";
    return error.status() == KANDINSKY_NOT_FOUND ? 0 : 4;
  }
  return 5;
}
"""
CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(guest LANGUAGES C CXX)
find_package(kandinsky {version} REQUIRED)
add_executable(in_c program.c)
add_executable(in_cxx program.cpp)
target_compile_features(in_cxx PRIVATE cxx_std_20)
foreach(program in_c in_cxx)
  target_link_libraries(${{program}} PRIVATE kandinsky::kandinsky)
endforeach()
"""
ANSWER = re.compile(r"\d+\.\d+\.\d+: .*no such folder")
CLEAN = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}


def run(
    *command: str | Path, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**CLEAN, "LC_ALL": "C.UTF-8", **variables},
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def prefix(root: Path, library_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed tree, moved after it was installed: nothing in it may name its own place."""
    first = tmp_path_factory.mktemp("install") / "first"
    run("cmake", "--install", library_path.parent, "--prefix", first)
    return first.rename(first.with_name("moved"))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "program.c").write_text(C_PROGRAM, encoding="utf-8")
    (tmp_path / "program.cpp").write_text(CXX_PROGRAM, encoding="utf-8")
    return tmp_path


def flags(prefix: Path, *options: str) -> list[str]:
    folder = next(prefix.rglob("kandinsky.pc")).parent
    command = ("pkg-config", *options, "--cflags", "--libs", "kandinsky")
    return run(*command, PKG_CONFIG_PATH=str(folder)).stdout.split()


def test_the_tree_holds_what_programs_need_and_nothing_else(prefix: Path) -> None:
    files = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if path.is_file()}
    library = next(name for name in files if re.search(r"/libkandinsky\.so\.\d+$", name))
    libdir = library.rpartition("/")[0]
    headers = {name.rpartition("/")[2] for name in files if name.startswith("include/")}
    own = {path.name for path in (Path(__file__).parents[2] / "core/include").iterdir()}
    assert headers == own
    others = {name for name in files if not name.startswith("include/")}
    package = f"{libdir}/cmake/kandinsky"
    targets = {name for name in others if name.startswith(f"{package}/kandinskyTargets")}
    assert others - targets == {
        "bin/kandinsky",
        library,
        f"{libdir}/libkandinsky.so",
        f"{libdir}/pkgconfig/kandinsky.pc",
        f"{package}/kandinskyConfig.cmake",
        f"{package}/kandinskyConfigVersion.cmake",
    }
    assert len(targets) == 2


def test_the_library_is_named_after_its_binary_interface(prefix: Path, header: str) -> None:
    name = f"libkandinsky.so.{c_header.abi_version(header)}"
    library = next(prefix.rglob("libkandinsky.so"))
    assert shared_library.soname(library) == name
    assert library.resolve().name == name
    assert shared_library.run_paths(library) == []


def test_the_version_of_the_header_is_the_projects(root: Path, header: str) -> None:
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'(?m)^version = "(.*)"$', project)
    assert version
    parts = re.findall(r"(?m)^#define KANDINSKY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header)
    assert ".".join(parts) == version[1]


@pytest.mark.parametrize(
    ("compiler", "source"), [("cc", "program.c"), ("c++ -std=c++20", "program.cpp")]
)
def test_a_program_is_built_by_pkg_config(
    prefix: Path, sources: Path, compiler: str, source: str
) -> None:
    program = sources / "program"
    strict = ("-Wall", "-Wextra", "-Werror")
    run(*compiler.split(), *strict, sources / source, "-o", program, *flags(prefix))
    library = next(prefix.rglob("libkandinsky.so"))
    assert ANSWER.match(run(program, LD_LIBRARY_PATH=str(library.parent)).stdout)


def test_programs_are_built_by_cmake(prefix: Path, sources: Path, header: str) -> None:
    version = ".".join(re.findall(r"(?m)^#define KANDINSKY_VERSION_M\w+ (\d+)$", header))
    (sources / "CMakeLists.txt").write_text(CMAKE_PROJECT.format(version=version), encoding="utf-8")
    build = sources / "build"
    run("cmake", "-S", sources, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    for name in ("in_c", "in_cxx"):
        assert ANSWER.match(run(build / name).stdout)


def test_the_installed_command_runs(prefix: Path) -> None:
    assert "txt2img" in run(prefix / "bin/kandinsky", "--help").stdout


def test_a_torch_that_is_not_there_is_named(prefix: Path, sources: Path, torch_lib: Path) -> None:
    """While configuring, while linking, and when the program starts."""
    elsewhere = sources / "elsewhere"
    elsewhere.mkdir()
    (sources / "CMakeLists.txt").write_text(CMAKE_PROJECT.format(version=""), encoding="utf-8")
    configured = run(
        *("cmake", "-S", sources, "-B", sources / "build", f"-DCMAKE_PREFIX_PATH={prefix}"),
        f"-DKANDINSKY_TORCH_LIB_DIR={elsewhere}",
        check=False,
    )
    assert configured.returncode != 0
    said = " ".join(configured.stderr.split())
    assert "kandinsky needs LibTorch" in said
    assert "set KANDINSKY_TORCH_LIB_DIR" in said

    other = flags(prefix, f"--define-variable=torch_libdir={elsewhere}")
    command = ("cc", sources / "program.c", "-o", sources / "program")
    linked = run(*command, *other, check=False)
    assert linked.returncode != 0
    assert "-ltorch_cpu" in linked.stderr

    for name in ("libtorch_cpu.so", "libc10.so"):
        (elsewhere / name).symlink_to(torch_lib / name)
    run(*command, f"-Wl,-rpath-link,{torch_lib}", *other)
    shutil.rmtree(elsewhere)
    library = next(prefix.rglob("libkandinsky.so"))
    started = run(sources / "program", check=False, LD_LIBRARY_PATH=str(library.parent))
    assert started.returncode == 127
    assert "libtorch_cpu.so: cannot open shared object file" in started.stderr


def test_every_installed_header_compiles_alone(prefix: Path, tmp_path: Path) -> None:
    for header in sorted((prefix / "include").iterdir()):
        source = tmp_path / "alone.cpp"
        source.write_text(f"#include <{header.name}>\n", encoding="utf-8")
        run("c++", "-std=c++20", "-fsyntax-only", f"-I{prefix / 'include'}", source)
    assert "kandinsky_abi_version" in c_header.functions(
        (prefix / "include/kandinsky.h").read_text(encoding="utf-8")
    )
