"""install.py as the host runs it, building the engine."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from support.install_place import CMAKE

ROOT = Path(__file__).parents[2]


def is_quick_where_nothing_is_to_do(place):
    """One of three runs takes less than a second on the processor: other work slows that, too."""

    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert place.run() == (0, "")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return any(seconds() < 1 for _ in range(3))


def test_it_builds_once_and_is_then_quick_and_silent(place):
    code, output = place.run()
    assert code == 0, output
    assert "Kandinsky: compiling" in output
    package = place.engine() / "kandinsky_engine" / "__init__.py"
    assert package.read_text() == "version = 1\n"
    configure, build = place.cmake_calls()
    assert f"-DKANDINSKY_PYTHON={sys.executable}" in configure
    assert "-DKANDINSKY_TESTS=OFF" in configure
    assert "--target kandinsky_package" in build

    assert is_quick_where_nothing_is_to_do(place)
    assert len(place.cmake_calls()) == 2


def test_this_checkouts_own_sources_are_looked_through_in_no_time(place):
    for name in ("core", "bindings", "third_party"):
        shutil.copytree(ROOT / name, place.root / name, dirs_exist_ok=True)
    place.run()
    assert is_quick_where_nothing_is_to_do(place)


def test_it_writes_nowhere_else(place):
    def files():
        return {
            path
            for folder in (place.root, place.host, place.python_path)
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    before = files()
    place.run()
    new = files() - before
    assert new
    assert all(place.root / "engine" in path.parents for path in new)
    assert "/engine/" in (ROOT / ".gitignore").read_text().splitlines()


def test_another_torch_gets_an_engine_of_its_own(place):
    place.run()
    place.set_torch("10.0")
    code, _ = place.run()
    assert code == 0
    assert place.engine("10.0").is_dir()
    assert place.engine("9.9.9").is_dir()
    place.set_torch("9.9.9")
    calls = len(place.cmake_calls())
    assert place.run() == (0, "")
    assert len(place.cmake_calls()) == calls


def test_another_build_of_the_same_version_is_another_torch(place):
    place.run()
    place.set_torch("9.9.9", build="cuda")
    (place.engine().with_name(place.engine().name + ".build") / "leftover").touch()
    code, output = place.run()
    assert (code, len(place.cmake_calls())) == (0, 4), output
    assert not list(place.root.glob("engine/*.build/leftover"))


def test_changed_sources_are_built_again(place):
    place.run()
    (place.root / "core" / "engine.cpp").write_text("changed")
    code, _ = place.run(ENGINE_SOURCE="version = 2")
    assert code == 0
    assert "2" in (place.engine() / "kandinsky_engine" / "__init__.py").read_text()
    assert not list(place.root.glob("engine/*.old"))
    assert not list(place.root.glob("engine/*.new"))


def test_a_run_killed_half_way_is_taken_up_again(place):
    process = place.start(BUILD_SECONDS="60")
    for line in process.stdout:
        if "1 / 2" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not place.engine().exists()
    code, output = place.run()
    assert code == 0, output
    assert place.engine().is_dir()


def test_a_half_written_engine_is_built_again(place):
    place.run()
    (place.engine() / "stamp.json").write_text('{"torch": ')
    place.run()
    assert json.loads((place.engine() / "stamp.json").read_text())["torch"] == "9.9.9"
    (place.engine() / "kandinsky_engine" / "__init__.py").unlink()
    place.run()
    assert (place.engine() / "kandinsky_engine" / "__init__.py").is_file()
    assert len(place.cmake_calls()) == 6


def test_control_c_is_answered_calmly(place):
    process = place.start(BUILD_SECONDS="60")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "1 / 2" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the next start resumes" in output
    assert "Traceback" not in output


def test_two_at_once_build_once_and_the_other_says_what_it_waits_for(place):
    first = place.start(BUILD_SECONDS="3")
    second = place.start(BUILD_SECONDS="3")
    outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert len(place.cmake_calls()) == 2
    waiting = next(output for output in outputs if "building the engine for torch" not in output)
    lines = waiting.splitlines()
    assert len(lines) > 1
    begin = "Kandinsky: waiting for another start of the web UI, which builds the engine ("
    assert all(line.startswith(begin) for line in lines)
    assert re.search(r"\(compiling: 1 / 2.*\); so far for [1-3] s", "\n".join(lines))


@pytest.mark.parametrize(
    ("line", "shown"),
    [("[40/210] Building", "40 / 210"), ("[ 19%] Bu", "19 / 100")],
)
def test_how_far_it_is_and_how_long_it_takes(place, line, shown):
    place.tool("cmake", CMAKE.replace("[1/2] Building", line))
    code, output = place.run(BUILD_SECONDS="1.5")
    assert code == 0
    lines = [line for line in output.splitlines() if shown in line]
    assert len(lines) >= 3
    assert re.fullmatch(rf"Kandinsky: compiling: {shown}, time left: about \d+ s", lines[-1])


BROKEN = "#!/bin/sh\necho no; exit 1\n"


@pytest.mark.parametrize("tools", [("c++", "g++"), ("ninja",)])
def test_a_compiler_or_generator_that_failed_is_not_kept(place, tools):
    """With the real CMake, whose cache it is."""
    (place.root / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(engine LANGUAGES CXX)\n"
        "set(package python/kandinsky_engine)\n"
        "add_custom_target(kandinsky_package\n"
        "  COMMAND ${CMAKE_COMMAND} -E make_directory ${package}\n"
        "  COMMAND ${CMAKE_COMMAND} -E touch ${package}/__init__.py)\n",
    )
    for name in ("cmake", "ninja", "g++"):
        (place.tools / name).unlink()
    for name in tools:
        place.tool(name, BROKEN)
    path = f"{place.tools}:{os.environ['PATH']}"
    code, output = place.run(PATH=path)
    assert code == 1
    assert not place.engine().exists()
    if "c++" in tools:
        assert "The C++ compiler does not work. Install another" in output
        good = {"CXX": shutil.which("g++")}
    else:
        (place.tools / "ninja").unlink()
        good = {}
    code, output = place.run(PATH=path, **good)
    assert code == 0, output
    assert place.engine().is_dir()


def test_a_generator_that_is_gone_is_not_kept_by_what_is_fetched(place):
    """With the real CMake, which gives what it fetches a cache of its own."""
    (place.root / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(engine LANGUAGES NONE)\n"
        "include(FetchContent)\n"
        "FetchContent_Declare(library DOWNLOAD_COMMAND ${CMAKE_COMMAND} -E true)\n"
        "FetchContent_MakeAvailable(library)\n"
        "add_custom_target(kandinsky_package COMMAND no-such-program)\n",
    )
    for name in ("cmake", "ninja"):
        (place.tools / name).unlink()
    for name in ("cmake", "ninja", "make", "sh"):
        (place.tools / name).symlink_to(shutil.which(name))
    code, output = place.run()
    assert (code, "no-such-program: not found" in output) == (1, True), output
    (place.tools / "ninja").unlink()
    code, output = place.run()
    assert (code, "make: *** [Makefile:" in output) == (1, True), output


def test_a_configuration_that_worked_is_tried_afresh_when_it_fails(place):
    assert place.run()[0] == 0
    (place.root / "core" / "engine.cpp").write_text("changed")
    stale = CMAKE.replace("case ", '[ -f "$4/CMakeCache.txt" ] && stale=1\n  case ', 1).replace(
        "  touch", '  if [ -n "$stale" ] && [ -f "$4/CMakeCache.txt" ]; then exit 1; fi\n  touch'
    )
    place.tool("cmake", stale)
    code, output = place.run()
    assert code == 0, output
    assert [("--fresh" in call) for call in place.cmake_calls()] == [
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus", "ran out of memory"),
        ("error: cannot write: No space left on device", "The disk is full"),
        ("pip cannot download the sources of sentencepiece", "check the connection"),
    ],
)
def test_a_failed_build_shows_its_first_error_and_says_what_to_do(place, said, words):
    more = "\n".join(f"echo line {i}" for i in range(100))
    long = "x" * 2000
    place.tool("cmake", CMAKE.replace('echo "engine.cpp:7: error: no"', f"echo '{said}'\n{more}"))
    place.tool("cmake", (place.tools / "cmake").read_text().replace("line 1\n", f"line {long}\n"))
    code, output = place.run(FAIL_BUILD="1")
    assert code == 1
    assert words in output
    if "error" in said:
        assert said in output
        assert "line 5\n" in output
        assert "line 50\n" not in output
    assert max(map(len, output.splitlines())) < 700


@pytest.mark.parametrize(
    ("tool", "words"),
    [("cmake", "cmake"), ("ninja", "ninja"), ("g++", "a C++ compiler")],
)
def test_a_missing_tool_is_named_with_the_command_that_brings_it(place, tool, words):
    (place.tools / tool).unlink()
    code, output = place.run()
    assert code == 1
    assert f"Missing here: {words}." in output
    assert "sudo apt-get install libzzz-dev" in output
    assert "the web UI works without it" in output
    assert "Traceback" not in output
    assert not place.engine().exists()


def test_a_python_without_pip_is_named(place):
    script = place.root / "install.py"
    hidden = "import sys\nsys.modules['pip'] = None\n"
    script.write_text(
        script.read_text().replace("import hashlib\n", f"import hashlib\n{hidden}", 1)
    )
    code, output = place.run()
    assert code == 1
    assert f'Missing here: pip ("{sys.executable}" -m ensurepip brings it).' in output


def test_an_old_cmake_is_named(place):
    code, output = place.run(CMAKE_VERSION="3.22.1")
    assert code == 1
    assert "cmake 3.25 or newer (this one is 3.22)" in output


def test_without_dpkg_the_list_of_libraries_is_named(place):
    (place.tools / "dpkg-query").unlink()
    (place.tools / "cmake").unlink()
    code, output = place.run()
    assert code == 1
    assert "debian-packages.txt" in output


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"FAIL_CONFIGURE": "1"}, "sentencepiece was not found"),
        ({"FAIL_BUILD": "1"}, "engine.cpp:7: error: no"),
        ({"ENGINE_SOURCE": "raise ImportError('undefined symbol')"}, "undefined symbol"),
    ],
)
def test_a_failed_build_says_why_and_keeps_the_engine_that_works(place, fault, words):
    place.run()
    (place.root / "core" / "engine.cpp").write_text("changed")
    code, output = place.run(**fault)
    assert code == 1
    assert words in output
    assert ".log" in output
    assert "libzzz-dev" in output
    assert 'Traceback (most recent call last):\n  File "' + str(place.root) not in output
    assert (place.engine() / "kandinsky_engine" / "__init__.py").read_text() == "version = 1\n"
    code, _ = place.run()
    assert code == 0


def test_progress_reaches_the_terminal_while_the_host_keeps_the_output(place):
    """The host shows what an installer printed only when it has ended."""
    terminal, other_end = os.openpty()
    environment = place.environment()
    del environment["WEBUI_LAUNCH_LIVE_OUTPUT"]

    def own_terminal():
        os.setsid()
        fcntl.ioctl(other_end, termios.TIOCSCTTY, 0)

    process = subprocess.run(
        [sys.executable, str(place.root / "install.py")],
        cwd=place.host,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=own_terminal,
    )
    os.set_blocking(terminal, False)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    os.close(other_end)
    assert "Kandinsky: compiling" in shown
    assert "compiling" not in process.stdout
    assert "building the engine for torch 9.9.9" in process.stdout


HOST = """
import subprocess, sys
# As A1111 does it: through a shell, and shown when it has ended.
done = subprocess.run(sys.argv[1], shell=True, capture_output=True, text=True, check=True)
print("the installer said:", done.stdout)
"""


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("shell", ["exec ", "true && "])
def test_progress_reaches_the_hosts_log_where_there_is_no_terminal(place, tmp_path, kind, shell):
    environment = place.environment(BUILD_SECONDS="1")
    del environment["WEBUI_LAUNCH_LIVE_OUTPUT"]
    command = f"{shell}'{sys.executable}' '{place.root / 'install.py'}'"
    log = tmp_path / "host.log"
    log.write_text("begin\n")
    with log.open("a") as file:
        process = subprocess.run(
            [sys.executable, "-c", HOST, command],
            cwd=place.host,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=file if kind == "file" else subprocess.PIPE,
            text=True,
            check=True,
            start_new_session=True,
        )
    shown = log.read_text() if kind == "file" else f"begin\n{process.stderr}"
    assert shown.startswith("begin\nKandinsky: configuring\nKandinsky: compiling\n")
    assert "Kandinsky: compiling: 1 / 2" in shown
    assert "Kandinsky: compiling" not in process.stdout
    assert "building the engine for torch 9.9.9" in process.stdout


def test_skipping(place):
    assert place.run(KANDINSKY_SKIP_BUILD="1") == (0, "")
    assert not (place.root / "engine").exists()


PYTHON = f'PYTHON = "{sys.version_info.major}.{sys.version_info.minor}"'
NEW_ABI, OLD_ABI = "CXX11_ABI = bool(1)", "CXX11_ABI = bool(0)"


@pytest.mark.parametrize("built_for", ["9.9.9", "9.9.0+cu121"])
@pytest.mark.parametrize("old_abi", [False, True])
def test_an_engine_installed_by_other_means_is_enough(place, built_for, old_abi):
    place.set_torch("9.9.9", old_abi=old_abi)
    abi = OLD_ABI if old_abi else NEW_ABI
    place.install_engine(f'TORCH_VERSION = "{built_for}"', abi, PYTHON)
    assert place.run() == (0, "")
    assert place.cmake_calls() == []


@pytest.mark.parametrize(
    "info",
    [
        (),
        ("no Python",),
        ("TORCH_VERSION = None",),
        ('TORCH_VERSION = "9.8.9"', NEW_ABI, PYTHON),
        ('TORCH_VERSION = "9.90"', NEW_ABI, PYTHON),
        ('TORCH_VERSION = "9.9.9"', OLD_ABI, PYTHON),
        ('TORCH_VERSION = "9.9.9"', NEW_ABI, 'PYTHON = "3.1"'),
    ],
)
def test_an_installed_engine_that_does_not_fit_is_no_reason_not_to_build(place, info):
    place.install_engine(*info)
    code, output = place.run()
    assert code == 0, output
    assert place.engine().is_dir()
    assert place.run() == (0, "")


def test_an_installed_engine_without_its_library_is_none(place):
    place.install_engine('TORCH_VERSION = "9.9.9"', NEW_ABI, PYTHON)
    (place.python_path / "kandinsky_engine" / "libkandinsky.so.1").unlink()
    code, output = place.run()
    assert code == 0, output
    assert place.engine().is_dir()


@pytest.mark.parametrize("text", [None, "cut"])
def test_an_engine_that_has_lost_a_file_is_built_again(place, text):
    assert place.run()[0] == 0
    file = place.engine() / "kandinsky_engine" / "__init__.py"
    content = file.read_text()
    file.unlink()
    if text is not None:
        file.write_text(text)
    code, output = place.run()
    assert code == 0, output
    assert file.read_text() == content
    (file.parent / "__pycache__").mkdir(exist_ok=True)
    (file.parent / "__pycache__" / "x.pyc").touch()
    assert place.run() == (0, "")


def test_an_installed_engine_with_the_new_strings_is_none_for_an_old_torch(place):
    place.set_torch("9.9.9", old_abi=True)
    place.install_engine('TORCH_VERSION = "9.9.9"', NEW_ABI, PYTHON)
    code, output = place.run()
    assert code == 0, output
    assert place.engine().is_dir()


def test_what_the_package_says_of_its_build_is_what_the_installer_reads():
    said = (ROOT / "bindings" / "_build_info.py.in").read_text(encoding="utf-8")
    for name in ("TORCH_VERSION = ", "CXX11_ABI = bool(", "PYTHON = "):
        assert f"\n{name}" in said


def test_no_torch(place):
    shutil.rmtree(place.python_path)
    # A torch of this test's own Python would be found; one without site-packages has none.
    process = subprocess.run(
        [sys.executable, "-S", str(place.root / "install.py")],
        cwd=place.host,
        env=place.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "has no torch" in process.stdout


def test_a_place_that_cannot_be_written_is_named(place):
    # A file where the folder should be: root, who may run these tests, can write into read-only
    # folders.
    (place.root / "engine").write_text("in the way")
    code, output = place.run()
    assert code == 1
    assert "cannot be installed in" in output
    assert str(place.root / "engine") in output
    assert "Traceback" not in output


def test_the_package_and_the_installer_mean_the_same_folder(place):
    place.run()
    code = (
        f"import sys; sys.path.insert(0, {str(place.root / 'extension')!r}); "
        "from kandinsky_ext.engine_folder import engine_folder; print(engine_folder())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=place.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(answer.stdout.strip()) == place.engine()
