"""Downloads from a server that does all that servers do."""

from __future__ import annotations

import errno
import hashlib
import re
import subprocess
import sys
import threading
import time

import pytest
from kandinsky_get import download as download_module
from kandinsky_get import found, known
from kandinsky_get.download import Download, Patience
from kandinsky_get.hub import Hub, HubError
from support.fake_hub import COMMIT

from .conftest import REPOSITORY, ROOT, toy, weights

WEIGHTS = f"{REPOSITORY}/unet/w.safetensors"
QUICK = Patience(tries=3, first_wait=0.01, longest_wait=0.05)


def make(server, folder, model=None, **hub):
    # Only those who wait for a stall see one: the machine may be busy.
    hub.setdefault("stall_seconds", 10)
    return Download(model or toy(), folder, Hub(server.address, **hub), QUICK)


def finish(download):
    download.start()
    assert download.wait(60)
    return download.progress()


def get(server, folder, model=None, **hub):
    return finish(make(server, folder, model, **hub))


def check_whole(server, folder):
    """All files, what they hold, and nothing else but the lock."""
    got = folder / "toy"
    there = {
        path.relative_to(got).as_posix(): path.read_bytes()
        for path in got.rglob("*")
        if path.is_file() and path.name != download_module.LOCK
    }
    assert there == {
        name.removeprefix(f"{REPOSITORY}/"): content for name, content in server.files.items()
    }


def seconds(twists):
    """How long to wait for a byte."""
    return 0.4 if {"stall", "silent"} & set(twists) else 10


def piece(folder):
    (found_one,) = found.pieces(folder / "toy/unet/w.safetensors")
    return found_one


def test_a_model_is_downloaded(server, tmp_path):
    progress = get(server, tmp_path)
    assert (progress.state, progress.message) == ("done", "")
    assert progress.done == progress.total == sum(map(len, server.files.values()))
    check_whole(server, tmp_path)
    assert list((tmp_path / "toy").rglob("*.part")) == []


def test_only_files_of_the_table_are_asked_for(server, tmp_path):
    server.files[f"{REPOSITORY}/unet/w.bin"] = b"pickle"
    assert get(server, tmp_path).state == "done"
    asked = {one.path.split("/resolve/")[-1].split("/", 1)[-1] for one in server.requests}
    assert not any("bin" in path for path in asked)
    assert not (tmp_path / "toy/unet/w.bin").exists()


def test_a_moving_branch_is_read_at_one_commit(server, tmp_path):
    get(server, tmp_path)
    heads = [one.path.split("/")[4] for one in server.asked("HEAD", "endpoint")]
    assert heads == ["main", *[COMMIT] * 3]
    assert {one.path.split("/")[4] for one in server.asked("GET", "endpoint")} == {COMMIT}


def test_what_the_table_knows_is_not_asked(server, tmp_path):
    content = server.files[WEIGHTS]
    file = known.File("unet/w.safetensors", len(content), hashlib.sha256(content).hexdigest())
    server.files = {WEIGHTS: content}
    assert get(server, tmp_path, toy(file, revision="d" * 40)).state == "done"
    assert server.asked("HEAD", "endpoint") == []
    assert server.asked("GET", "endpoint")[0].path.split("/")[4] == "d" * 40


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    get(server, tmp_path)
    server.requests.clear()
    progress = get(server, tmp_path)
    assert progress.done == progress.total > 0
    assert server.asked("GET", "endpoint") == []


@pytest.mark.parametrize("name", ["config.json", "unet/w.safetensors"])
def test_a_broken_file_of_the_right_name_is_replaced(server, tmp_path, name):
    get(server, tmp_path)
    for content in (b"version https://git-lfs", bytes(len(server.files[f"{REPOSITORY}/{name}"]))):
        (tmp_path / "toy" / name).write_bytes(content)
        assert get(server, tmp_path).state == "done"
        check_whole(server, tmp_path)


@pytest.mark.parametrize(
    "twists",
    [["cut"], ["stall"], ["silent"], [503], [429], [500, 502], ["cut", "stall", "cut"], ["moved"]],
    ids=str,
)
def test_what_passes_is_tried_again(server, tmp_path, twists):
    server.twists[f"GET {WEIGHTS}"] = list(twists)
    progress = get(server, tmp_path, stall_seconds=seconds(twists))
    assert (progress.state, progress.message) == ("done", "")
    check_whole(server, tmp_path)


def test_a_cut_download_goes_on_where_it_was(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["cut"]
    get(server, tmp_path)
    half = len(server.files[WEIGHTS]) // 2
    assert [one.range for one in server.asked()] == ["", f"bytes={half}-"]


@pytest.mark.parametrize(
    ("twists", "said"),
    [
        ([503] * 3, "answers 503.*Given up after 3 tries"),
        ([429] * 3, "answers 429"),
        ([404], "the file does not exist there"),
        ([401], "set the environment variable HF_TOKEN"),
        ([403], "needs a token"),
        ([400], "answers 400"),
        ([416], "does not have the rest"),
        (["silent"] * 3, "has sent nothing for 0.4 s"),
        (["too long"], "sends 200[0-9]+ bytes, expected 200[0-9]+"),
        (["too short"], "sends 200[0-9]+ bytes"),
        (["login"], "A proxy's login page"),
        (["endless"], "sends more than"),
        (["packed"], "encoding gzip"),
        (["wrong bytes"], "does not have the hash"),
        (["to http"], "192.0.2.1/x is not allowed: only https"),
        (["in circles"] * 20, "redirect loop"),
    ],
    ids=str,
)
def test_what_stays_is_said(server, tmp_path, twists, said):
    server.twists[f"GET {WEIGHTS}"] = list(twists)
    progress = get(server, tmp_path, stall_seconds=seconds(twists))
    assert progress.state == "failed"
    assert WEIGHTS in progress.message or "192.0.2.1" in progress.message
    assert re.search(said, progress.message), progress.message
    assert not (tmp_path / "toy/unet/w.safetensors").exists()
    assert not (tmp_path / "toy/model_index.json").exists()
    # And it works once the server does.
    server.twists.clear()
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)


@pytest.mark.parametrize(
    ("twist", "said"),
    [
        (401, "HF_TOKEN"),
        (404, "does not exist there"),
        ("login", "names no hash"),
        ("to http", "only https"),
    ],
)
def test_what_stays_is_said_of_descriptions_too(server, tmp_path, twist, said):
    server.twists[f"HEAD {REPOSITORY}/config.json"] = [twist]
    progress = get(server, tmp_path)
    assert progress.state == "failed"
    assert said in progress.message


@pytest.mark.parametrize("twist", [503, 429, "moved"])
def test_descriptions_are_tried_again_and_followed(server, tmp_path, twist):
    server.twists[f"HEAD {REPOSITORY}/config.json"] = [twist]
    assert get(server, tmp_path).state == "done"


@pytest.mark.parametrize("twist", ["other range", "other size"])
def test_a_server_that_lies_about_ranges(server, tmp_path, twist):
    server.twists[f"GET {WEIGHTS}"] = ["cut", twist]
    download = make(server, tmp_path)
    progress = finish(download)
    assert progress.state == "failed"
    assert "Cancel the download and start it again" in progress.message
    assert piece(tmp_path).stat().st_size == len(server.files[WEIGHTS]) // 2
    download.cancel()
    assert download.progress().state == "idle"
    assert finish(download).state == "done"
    check_whole(server, tmp_path)


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["cut", "no ranges"]
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)


def test_a_damaged_piece_costs_one_more_try(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["cut", 404]
    get(server, tmp_path)
    with piece(tmp_path).open("r+b") as file:
        file.write(b"damage")
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)
    assert server.asked()[-1].range == ""


def test_a_piece_of_another_file_is_dropped(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["cut", 404]
    get(server, tmp_path)
    server.files[WEIGHTS] = weights(100_000)
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)


def test_a_piece_that_is_too_long_is_dropped(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["cut", 404]
    get(server, tmp_path)
    with piece(tmp_path).open("ab") as file:
        file.write(bytes(300_000))
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_pause_resume_and_cancel(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["slow"] * 3
    download = make(server, tmp_path)
    download.start()
    wait_for(lambda: download.progress().done > 20_000)
    running = download.progress()
    assert (running.state, running.file) == ("downloading", WEIGHTS)
    assert running.is_running
    assert running.speed > 0
    assert running.seconds_left > 0
    download.pause()
    assert download.wait(10)
    assert download.progress().state == "paused"
    kept = piece(tmp_path).stat().st_size
    assert kept > 0
    download.start()
    wait_for(lambda: download.progress().done > kept + 20_000)
    assert server.asked()[-1].range == f"bytes={kept}-"
    download.cancel()
    assert download.progress().state == "idle"
    assert list(tmp_path.rglob("*.part")) == []
    assert (tmp_path / "toy/config.json").exists()
    server.twists.clear()
    assert finish(download).state == "done"
    check_whole(server, tmp_path)


def test_a_stalled_download_can_be_paused(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["stall"] * 9
    download = make(server, tmp_path, stall_seconds=0.4)
    download.start()
    wait_for(lambda: download.progress().done > 0)
    download.pause()
    assert download.wait(10)
    assert download.progress().state == "paused"


def test_a_start_while_it_is_pausing_goes_on(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["stall"]
    download = make(server, tmp_path, stall_seconds=0.4)
    download.start()
    wait_for(lambda: download.progress().done > 0)
    download.pause()
    download.start()
    assert download.wait(60)
    assert download.progress().state == "done"
    check_whole(server, tmp_path)


def test_a_pause_after_that_counts(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["stall"]
    download = make(server, tmp_path, stall_seconds=0.4)
    download.start()
    wait_for(lambda: download.progress().done > 0)
    for press in (download.pause, download.start, download.pause):
        press()
    assert download.wait(60)
    assert download.progress().state == "paused"


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from unit.get.conftest import toy
from kandinsky_get.download import Download
from kandinsky_get.hub import Hub
from pathlib import Path
download = Download(toy(), Path({folder!r}), Hub({address!r}))
download.start()
print("started", flush=True)
download.wait()
"""


def test_a_killed_download_is_taken_up_and_two_do_not_write_at_once(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = ["slow"]
    code = CHILD.format(tests=str(ROOT / "tests"), folder=str(tmp_path), address=server.address)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        wait_for(lambda: any(path.stat().st_size > 9000 for path in tmp_path.rglob("w.*.part")))
        second = get(server, tmp_path)
        assert second.state == "failed"
        assert "another download is writing into" in second.message
        child.kill()
    assert piece(tmp_path).stat().st_size > 0
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)
    assert server.asked()[-1].range.startswith("bytes=")


@pytest.mark.parametrize("name", ["ENOLCK", "ENOTSUP", "ENOSYS"])
def test_a_file_system_without_locks(server, tmp_path, monkeypatch, name):
    def refuse(_):
        raise OSError(getattr(errno, name), "no locks")

    monkeypatch.setattr(download_module, "_lock", refuse)
    assert get(server, tmp_path).state == "done"
    check_whole(server, tmp_path)
    make(server, tmp_path).cancel()


def test_a_full_disk_is_seen_before(server, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100_000})
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: usage)
    progress = get(server, tmp_path)
    assert progress.state == "failed"
    assert "0.1 MB are free, 268.6 MB are needed" in progress.message
    assert server.asked() == []


def test_a_disk_that_fills_up_keeps_what_is_there(server, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device", "w.part")

    monkeypatch.setattr(download_module.os, "fsync", full)
    progress = get(server, tmp_path)
    assert progress.state == "failed"
    assert "The disk is full" in progress.message
    monkeypatch.undo()
    assert get(server, tmp_path).state == "done"


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "toy").write_text("a file")
    progress = get(server, tmp_path)
    assert progress.state == "failed"
    assert "toy cannot be written" in progress.message


def test_the_server_may_ask_to_wait(server, tmp_path):
    server.headers = {"Retry-After": "0"}
    server.twists[f"GET {WEIGHTS}"] = [429]
    assert get(server, tmp_path).state == "done"
    server.headers = {"Retry-After": "3600"}
    server.twists[f"GET {WEIGHTS}"] = [429]
    (tmp_path / "toy/unet/w.safetensors").unlink()
    progress = get(server, tmp_path)
    assert progress.state == "failed"
    assert "asks to wait 3600 s" in progress.message


def test_waiting_can_be_paused_and_says_why(server, tmp_path):
    server.twists[f"GET {WEIGHTS}"] = [503] * 9
    download = Download(toy(), tmp_path, Hub(server.address), Patience(tries=3, first_wait=60))
    download.start()
    wait_for(lambda: "Trying again in 60 s" in download.progress().message)
    download.pause()
    assert download.wait(10)


class TestToken:
    def test_it_goes_to_the_endpoint_only(self, server, tmp_path):
        server.twists[f"GET {REPOSITORY}/config.json"] = ["moved"]
        assert get(server, tmp_path, token="secret").state == "done"
        tokens = {
            name: {one.token for one in server.requests if one.server == name}
            for name in ("endpoint", "store")
        }
        assert tokens == {"endpoint": {"Bearer secret"}, "store": {""}}

    def test_none_is_sent_where_there_is_none(self, server, tmp_path):
        get(server, tmp_path)
        assert {one.token for one in server.requests} == {""}

    def test_one_that_is_refused(self, server, tmp_path):
        server.twists[f"HEAD {REPOSITORY}/config.json"] = [401]
        message = get(server, tmp_path, token="secret").message
        assert "does not accept the token in HF_TOKEN" in message
        assert "secret" not in message

    def test_one_with_a_line_break_is_refused(self):
        with pytest.raises(HubError, match="HF_TOKEN"):
            Hub(token="a\r\nX: y")


class TestEnvironment:
    def test_the_endpoint_and_the_token(self):
        hub = Hub.of_environment(
            environ={"HF_ENDPOINT": "https://mirror.example/hub/", "HF_TOKEN": " t "}
        )
        assert hub.endpoint == "https://mirror.example/hub"
        assert Hub.of_environment(environ={}).endpoint == "https://huggingface.co"
        given = Hub.of_environment("https://other.example", {"HF_ENDPOINT": "https://a.example"})
        assert given.endpoint == "https://other.example"

    def test_offline(self):
        with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
            Hub.of_environment(environ={"HF_HUB_OFFLINE": "1"})

    @pytest.mark.parametrize(
        "address",
        [
            *(
                "http://mirror.example",
                "ftp://a.example",
                "file:///etc",
                "mirror.example",
                "https:",
            ),
            *("https://me:secret@a.example", "https://[::1", "https://a.example:x"),
        ],
    )
    def test_addresses_that_are_not_taken(self, address):
        with pytest.raises(HubError) as caught:
            Hub(address)
        assert "secret" not in str(caught.value)

    def test_proxies_are_those_of_the_environment(self, server, tmp_path, monkeypatch):
        # The endpoint answers for any host that is asked through it.
        monkeypatch.setenv("http_proxy", server.address)
        progress = get(server, tmp_path)
        assert progress.state == "failed"
        assert server.requests[0].path.startswith("http://127.0.0.1:")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert get(server, tmp_path).state == "done"


def test_nobody_there(tmp_path):
    hub = Hub("http://127.0.0.1:9")
    progress = finish(Download(toy(), tmp_path, hub, QUICK))
    assert progress.state == "failed"
    assert "the connection to http://127.0.0.1:9 failed" in progress.message
    assert "HTTPS_PROXY" in progress.message


def test_two_downloads_at_once_do_not_disturb_each_other(server, tmp_path):
    downloads = [make(server, tmp_path / name) for name in "ab"]
    for download in downloads:
        download.start()
        download.start()
    assert all(download.wait(60) for download in downloads)
    for name in "ab":
        check_whole(server, tmp_path / name)
    wait_for(lambda: "kandinsky-get" not in {one.name for one in threading.enumerate()})
