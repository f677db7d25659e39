"""The command, run as a person runs it, without an engine."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from kandinsky_get import cli, known, words
from kandinsky_get.download import Progress

from .conftest import PACKAGE, ROOT

DEMO = ROOT / "demo" / "model"
WEIGHTS = "kandinsky-community/kandinsky-2-1/unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(server):
    """A hub whose Kandinsky 2.1 is the demo model."""
    for ending in ("", "-prior"):
        server.add_folder(
            f"kandinsky-community/kandinsky-2-1{ending}", DEMO / f"kandinsky-demo{ending}"
        )
    return server


def environment(hub):
    return {**os.environ, "HF_ENDPOINT": hub.address, "COLUMNS": "100"}


def run(hub, *arguments, cwd, **options):
    return subprocess.run(
        [sys.executable, PACKAGE, *map(str, arguments)],
        env=environment(hub),
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,
    )


def test_listing_contacts_nobody(hub, tmp_path):
    done = run(hub, "--list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[1].split() == [
        "2.1",
        "about",
        "13.2",
        "GB",
        "Apache-2.0",
        "no",
        "Kandinsky",
        "2.1",
    ]
    assert {line.split(" ")[0] for line in lines[1:9]} == {
        *(model.name for model in (*known.MODELS, *known.DEMOS.values())),
    }
    assert "this version supports only" not in done.stdout
    assert lines[6].split()[:5] == ["demo", "32", "MB", "Apache-2.0", "yes"]
    assert lines[7].split()[:5] == ["demo-2.2", "7", "MB", "Apache-2.0", "yes"]
    assert f"demo: {DEMO / 'kandinsky-demo'}" in lines
    assert f"demo-2.2-depth: {DEMO / 'kandinsky-demo-2-2-depth'}" in lines
    assert hub.requests == []


def test_a_model_is_downloaded_and_then_used_where_it_is(hub, tmp_path):
    done = run(hub, "2.1", "--yes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "2.1: all 18.3 MB are in models/Kandinsky." in done.stderr
    got = tmp_path / "models" / "Kandinsky"
    for ending in ("", "-prior"):
        demo = DEMO / f"kandinsky-demo{ending}"
        for file in (got / f"kandinsky-2-1{ending}").rglob("*.*"):
            if file.is_file() and file.name != ".kandinsky-get.lock":
                inside = file.relative_to(got / f"kandinsky-2-1{ending}")
                assert file.read_bytes() == (demo / inside).read_bytes()
    listed = run(hub, cwd=tmp_path).stdout
    assert re.search(r"^2\.1 +about 13\.2 GB +Apache-2\.0 +yes", listed, re.MULTILINE)
    assert "2.1: models/Kandinsky/kandinsky-2-1-prior" in listed
    before = len(hub.requests)
    done = run(hub, "2.1", cwd=tmp_path)
    assert done.returncode == 0
    assert "2.1 is already there: models/Kandinsky/kandinsky-2-1," in done.stderr
    assert len(hub.requests) == before


def test_a_download_is_asked_for(hub, tmp_path):
    done = run(hub, "2.1", "2.2", "--to", tmp_path / "here", cwd=tmp_path)
    assert done.returncode == 2
    assert f"about 29.1 GB, from {hub.address} into {tmp_path}/here?" in done.stderr
    assert "Confirm with --yes" in done.stderr
    assert hub.requests == []
    assert not (tmp_path / "here").exists()


def test_quiet(hub, tmp_path):
    done = run(hub, "2.1", "--yes", "--quiet", "--to", tmp_path / "x", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "x/kandinsky-2-1/model_index.json").is_file()


def test_a_failure(hub, tmp_path):
    hub.twists[f"GET {WEIGHTS}"] = [403]
    done = run(hub, "2.1", "--yes", "--quiet", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"kandinsky get: 2.1: {WEIGHTS}: {hub.address} answers 403 Forbidden: it needs a token: "
        "set the environment variable HF_TOKEN.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2.3"], 'no model "2.3": choose one of 2.1, 2.1-inpaint'),
        (["demo"], "there is nothing to download"),
        (["--list", "2.1"], "--list takes no names"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(hub, tmp_path, arguments, said):
    done = run(hub, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_endpoint_that_is_not_taken(hub, tmp_path):
    done = run(hub, "2.1", "--yes", "--endpoint", "http://mirror.example", cwd=tmp_path)
    assert done.returncode == 1
    assert "http://mirror.example is not allowed: only https" in done.stderr


def test_help_names_everything():
    text = cli.parser().format_help()
    for word in ("--to FOLDER", "HF_TOKEN", "HF_ENDPOINT", "exit codes", "Ctrl-C", "2.2-depth"):
        assert word in text


def test_ctrl_c_pauses_and_the_bar_is_drawn(hub, tmp_path):
    hub.twists[f"GET {WEIGHTS}"] = ["slow"]
    mine, theirs = pty.openpty()
    command = [sys.executable, PACKAGE, "2.1", "--yes"]
    with subprocess.Popen(command, env=environment(hub), cwd=tmp_path, stderr=theirs) as child:
        os.close(theirs)
        seen = ""
        # The files before the slow one have 5.8 MB.
        while not re.search(r" [6-9]\.\d MB / 18.3 MB", seen):
            seen += os.read(mine, 1000).decode()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    end = time.monotonic() + 60
    while "resumes it" not in seen and time.monotonic() < end:
        seen += os.read(mine, 1000).decode()
    os.close(mine)
    assert "2.1: [" in seen
    assert "time left: " in seen
    assert "2.1 is paused. The same command resumes it." in seen
    done = run(hub, "2.1", "--yes", cwd=tmp_path)
    assert done.returncode == 0
    assert any(one.range for one in hub.asked())


@pytest.mark.parametrize(
    ("seconds", "expected"), [(8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds, expected):
    assert words.duration(seconds) == expected


def test_words_of_a_download():
    def said(state="downloading", done=0, total=0, speed=0.0, left=None, message=""):
        return words.progress(Progress(state, "a/b", done, total, speed, left, message))

    assert said("checking") == "checking a/b"
    assert said(done=10**9, total=5 * 10**9) == "1.0 GB / 5.0 GB"
    assert said(done=10**9, total=5 * 10**9, speed=2e7, left=200) == (
        "1.0 GB / 5.0 GB, 20.0 MB/s, time left: 3 min 20 s"
    )
    assert said(message="no.") == "no."
