"""install.py as the host runs it, with wheels to take."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import platform
import re
import signal
import threading
import time
import zipfile
from pathlib import Path

import pytest
from support.install_place import TAG

ROOT = Path(__file__).parents[2]
VERSION = "1.2.3"  # of the checkout
GLIBC = os.confstr("CS_GNU_LIBC_VERSION").split()[1].replace(".", "_")
MACHINE = platform.machine()
FITTING = f"{VERSION}+torch9.9-{TAG}-{TAG}-manylinux_{GLIBC}_{MACHINE}"
ENGINE = 'version = "from a wheel"\n'


def make_wheel(folder, name=FITTING, files=None, padding=0):
    """A wheel with an engine in it; padding makes it larger."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"kandinsky_engine-{name}.whl"
    info = f"kandinsky_engine-{name.partition('-')[0]}.dist-info"
    content = {"kandinsky_engine/__init__.py": ENGINE, f"{info}/METADATA": "Version: 1\n"}
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**content, **(files or {})}.items():
            archive.writestr(path, text)
        if padding:
            archive.writestr("kandinsky_engine/padding", os.urandom(padding))
    return wheel


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and does to wheels what a test asks for."""

    behaviour = ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix != ".whl":
            super().do_GET()
        elif self.behaviour == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://wheels.example.org/x.whl")
            self.end_headers()
        else:
            content = path.read_bytes()
            size = 10**9 if self.behaviour == "huge" else len(content)
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if self.behaviour == "break off":
                self.wfile.write(content[: len(content) // 2])
            elif self.behaviour == "slow":
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                time.sleep(1.5)
                self.wfile.write(content[len(content) // 2 :])
            else:
                self.wfile.write(content)


class Index:
    """An index as pip takes it, of the wheels in a folder."""

    def __init__(self, folder, address):
        self.folder = folder
        self.address = address

    def list(self, *wheels, sha256_of=lambda _: None):
        page = self.folder / "simple" / "kandinsky-engine"
        page.mkdir(parents=True)
        links = [
            f'<a href="../../wheels/{wheel.name.replace("+", "%2B")}'
            f'{f"#sha256={pinned}" if (pinned := sha256_of(wheel)) else ""}">{wheel.name}</a><br>'
            for wheel in wheels
        ]
        (page / "index.html").write_text(f"<!DOCTYPE html><html>{''.join(links)}</html>")


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Server, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Index(folder, f"http://127.0.0.1:{server.server_port}/simple")
        server.shutdown()
        thread.join()


@pytest.fixture
def behave(monkeypatch):
    return functools.partial(monkeypatch.setattr, Server, "behaviour")


def without_compiler(place):
    (place.tools / "g++").unlink()
    (place.tools / "cmake").unlink()


def check_taken(place, code, output):
    assert code == 0, output
    assert (place.engine() / "kandinsky_engine" / "__init__.py").read_text() == ENGINE
    assert place.cmake_calls() == []
    left = {path.name for path in (place.root / "engine").iterdir()}
    assert left == {place.engine().name, f"{place.engine().name}.log", "lock"}
    # Nothing is left to do, without the wheels, too.
    assert place.run() == (0, "")


def check_built(place, code, output, *said):
    assert code == 0, output
    assert (place.engine() / "kandinsky_engine" / "__init__.py").read_text() == "version = 1\n"
    for words in said:
        assert words in output
    assert not list(place.root.glob("engine/*.new"))


@pytest.mark.parametrize("platform_tag", ["{0}", "linux_x86_64.{0}", "manylinux_2_5_" + MACHINE])
@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_wheel_in_a_folder_is_taken_without_a_compiler(place, tmp_path, platform_tag, by):
    tag = platform_tag.format(f"manylinux_{GLIBC}_{MACHINE}")
    wheel = make_wheel(tmp_path / "wheels", f"{VERSION}+torch9.9-{TAG}-{TAG}-{tag}")
    without_compiler(place)
    if by == "variable":
        code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    else:
        code, output = place.run("--wheels", str(wheel.parent), KANDINSKY_WHEELS="no such folder")
    check_taken(place, code, output)
    assert f"is in {place.engine()}, from {wheel}" in output


@pytest.mark.parametrize("pinned", [True, False])
def test_a_wheel_on_an_index_is_taken(place, index, pinned):
    wheels = [
        make_wheel(index.folder / "wheels", FITTING.replace("9.9-", f"{torch}-"))
        for torch in ("9.8", "9.9")
    ]
    index.list(*wheels, sha256_of=sha256 if pinned else lambda _: None)
    without_compiler(place)
    check_taken(place, *place.run(KANDINSKY_WHEELS=index.address))


def test_a_torch_with_the_old_strings_has_wheels_of_its_own(place, tmp_path):
    place.set_torch("9.9.9+cu124", old_abi=True)
    make_wheel(tmp_path / "wheels", files={"kandinsky_engine/__init__.py": "raise SystemExit(1)"})
    wheel = make_wheel(tmp_path / "wheels", FITTING.replace("9.9-", "9.9.oldabi-"))
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    assert code == 0, output
    assert output.splitlines()[-1].endswith(f", from {wheel}")


@pytest.mark.parametrize(
    "name",
    [
        FITTING.replace("torch9.9", "torch9.8"),
        FITTING.replace("torch9.9", "torch9.90"),
        FITTING.replace("torch9.9", "torch9.9.oldabi"),
        FITTING.replace("+torch9.9", ""),
        FITTING.replace(VERSION, "1.2.4"),
        FITTING.replace(f"{TAG}-{TAG}", "cp39-cp39"),
        FITTING.replace(f"{TAG}-{TAG}", f"{TAG}-{TAG}t"),
        FITTING.replace(GLIBC, "2_99"),
        FITTING.replace(GLIBC, "3_0"),
        FITTING.replace(MACHINE, "other64"),
        FITTING.replace(f"manylinux_{GLIBC}", "musllinux_1_1"),
        FITTING.replace(f"manylinux_{GLIBC}", "linux"),
    ],
)
def test_what_does_not_fit_is_listed_beside_what_is_wanted_and_then_it_builds(
    place, tmp_path, name
):
    assert name != FITTING
    wheel = make_wheel(tmp_path / "wheels", name)
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    wanted = f"kandinsky_engine-{VERSION}+torch9.9-{TAG}-{TAG}-manylinux_*_{MACHINE}.whl"
    words = f"no wheel in {wheel.parent} fits. Wanted: {wanted}; this system has glibc "
    check_built(place, code, output, words, f"Found: {wheel.name}.")


def test_of_many_wheels_that_do_not_fit_some_are_listed(place, tmp_path):
    for number in range(20):
        make_wheel(tmp_path / "wheels", FITTING.replace("torch9.9", f"torch8.{number}"))
    code, output = place.run(KANDINSKY_WHEELS=str(tmp_path / "wheels"))
    check_built(place, code, output, " and 8 more.")


def test_a_folder_without_wheels_or_none_at_all(place, tmp_path):
    (tmp_path / "empty").mkdir()
    code, output = place.run(KANDINSKY_WHEELS=str(tmp_path / "empty"))
    check_built(place, code, output, "Found: none.")
    place.set_torch("9.9.9", build="another")
    code, output = place.run(KANDINSKY_WHEELS=str(tmp_path / "gone"))
    check_built(place, code, output, f"the folder of wheels {tmp_path / 'gone'} cannot be read")


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    middle = content.index(b"from a wheel")
    return content[:middle] + b"FROM" + content[middle + 4 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"<html>"])
def test_a_damaged_wheel_is_said_and_then_it_builds(place, tmp_path, damage):
    wheel = make_wheel(tmp_path / "wheels")
    wheel.write_bytes(damage(wheel.read_bytes()))
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    check_built(place, code, output, f"{wheel} cannot be used. {wheel} is truncated or corrupt: ")


def test_another_hash_than_the_indexs_is_said_and_then_it_builds(place, index):
    wheel = make_wheel(index.folder / "wheels")
    index.list(wheel, sha256_of=lambda _: "0" * 64)
    code, output = place.run(KANDINSKY_WHEELS=index.address)
    check_built(place, code, output, f"has the SHA-256 {sha256(wheel)}, expected {'0' * 64}")


def test_a_wheel_that_does_not_load_is_said_and_then_it_builds(place, tmp_path):
    reason = "/lib/libc.so.6: version GLIBC_2.99 not found"
    wheel = make_wheel(
        tmp_path / "wheels",
        files={"kandinsky_engine/__init__.py": f"raise ImportError({reason!r})"},
    )
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    check_built(place, code, output, f"{wheel} cannot be used. Loading the new engine", reason)


def test_after_a_wheel_that_does_not_load_the_next_is_tried(place, tmp_path):
    name = FITTING.replace(GLIBC, "2_5")
    make_wheel(tmp_path / "wheels", name, {"kandinsky_engine/__init__.py": "raise ImportError"})
    wheel = make_wheel(tmp_path / "wheels")
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    check_taken(place, code, output)


def test_without_a_wheel_and_a_compiler_both_are_said(place, tmp_path):
    without_compiler(place)
    code, output = place.run(KANDINSKY_WHEELS=str(tmp_path))
    assert code == 1
    assert f"no wheel in {tmp_path} fits" in output
    assert "Missing here: cmake, a C++ compiler." in output


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://wheels.example.org/simple", "only https, or http on this machine"),
        ("ftp://localhost/simple", "only https"),
        ("https://me:secret@wheels.example.org/simple", "must not contain a name or a password"),
    ],
)
def test_an_address_that_is_not_safe_is_not_asked(place, address, words):
    code, output = place.run(KANDINSKY_WHEELS=address)
    check_built(place, code, output, words)
    assert "secret" not in output


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("redirect", "http://wheels.example.org/x.whl is not allowed: only https"),
        ("huge", "is larger than 64 MB"),
        ("break off", "the connection broke after"),
    ],
)
def test_a_server_that_misbehaves(place, index, behave, behaviour, words):
    index.list(make_wheel(index.folder / "wheels"))
    behave(behaviour)
    code, output = place.run(KANDINSKY_WHEELS=index.address)
    check_built(place, code, output, words)


def test_a_page_that_is_not_there(place, index):
    code, output = place.run(KANDINSKY_WHEELS=index.address)
    check_built(place, code, output, f"{index.address}/kandinsky-engine/ cannot be read: 404")


@pytest.mark.parametrize(
    "name", ["../out.py", "/out.py", "elsewhere/out.py", "kandinsky_engine/../../out.py", "out.py"]
)
def test_a_wheel_cannot_write_elsewhere(place, tmp_path, name):
    wheel = make_wheel(tmp_path / "wheels", files={name: ""})
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    check_built(place, code, output, f"the wheel has an unexpected file: {name}")
    assert not list(tmp_path.rglob("out.py"))


def test_a_wheel_cannot_fill_the_disk(place, tmp_path):
    wheel = tmp_path / "wheels" / f"kandinsky_engine-{FITTING}.whl"
    wheel.parent.mkdir()
    with (
        zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("kandinsky_engine/zeros", "w") as member,
    ):
        for _ in range(257):
            member.write(bytes(1 << 20))
    code, output = place.run(KANDINSKY_WHEELS=str(wheel.parent))
    check_built(place, code, output, "the wheel unpacks to more than 256 MB")


def test_a_download_says_how_far_it_is_and_leaves_nothing_when_it_is_killed(place, index, behave):
    index.list(make_wheel(index.folder / "wheels", padding=3 << 20))
    behave("slow")
    process = place.start(KANDINSKY_WHEELS=index.address)
    for line in process.stdout:
        if re.match(r"Kandinsky: taking kandinsky_engine-.*: 1 / 3 MB", line):
            break
    else:
        pytest.fail("no progress was said")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = {path.name for path in (place.root / "engine").iterdir()}
    assert left == {f"{place.engine().name}.log", "lock"}
    check_taken(place, *place.run(KANDINSKY_WHEELS=index.address))


def release(place, address, pinned):
    table = place.root / "extension" / "released-wheels.txt"
    table.write_text(f"# SHA-256, address\n{pinned}  {address}\n")


def test_a_released_wheel_is_taken_where_nobody_names_another(place, index, tmp_path):
    wheel = make_wheel(index.folder / "wheels")
    address = index.address.replace("simple", f"wheels/{wheel.name.replace('+', '%2B')}")
    release(place, address, sha256(wheel))
    without_compiler(place)
    (tmp_path / "empty").mkdir()
    code, output = place.run(KANDINSKY_WHEELS=str(tmp_path / "empty"))
    check_taken(place, code, output)
    assert "Found: none." in output
    assert f", from {address}" in output


def test_a_released_wheel_with_another_hash_is_not(place, index):
    wheel = make_wheel(index.folder / "wheels")
    release(place, index.address.replace("simple", f"wheels/{wheel.name}"), "0" * 64)
    code, output = place.run()
    check_built(place, code, output, "it is not the file that was released")


def test_this_repository_pins_what_it_releases():
    text = (ROOT / "extension" / "released-wheels.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(
            r"[0-9a-f]{64}  https://\S+/kandinsky_engine-\S+\.whl", line
        )


def test_skipping_takes_no_wheel(place, tmp_path):
    make_wheel(tmp_path / "wheels")
    environment = {"KANDINSKY_SKIP_BUILD": "1", "KANDINSKY_WHEELS": str(tmp_path / "wheels")}
    assert place.run(**environment) == (0, "")
    assert not (place.root / "engine").exists()
