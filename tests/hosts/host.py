"""A host's process, and requests to it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

FLAGS = (
    *("--skip-prepare-environment", "--skip-torch-cuda-test", "--skip-python-version-check"),
    *("--skip-version-check", "--no-download-sd-model", "--no-hashing", "--no-half"),
    *("--api", "--use-cpu", "all", "--always-cpu", "--cpu"),
)
"""Those that a host does not know are ignored, see IGNORE_CMD_ARGS_ERRORS."""
READY = "Startup time:"
"""In the log. The web API answers earlier, but does not know the scripts' defaults then."""
RESTARTING = "Restarting UI"
"""Likewise, once "Reload UI" has been pressed."""
OURS = "kandinsky"


class HostError(Exception):
    """The host did not do what it was asked; the message has its own words."""


class Host:
    """Starts the host in a folder of its own for everything that it keeps: models, settings,
    extensions. The host's folder stays as it is.
    """

    def __init__(
        self,
        folder: Path,
        python: Path,
        place: Path,
        extensions: Mapping[str, Path],
        engine: Path | None,
        flags: list[str],
    ) -> None:
        self.folder = folder
        self.log = place / "host.log"
        data = place / "data"
        (data / "extensions").mkdir(parents=True)
        (data / "models").mkdir()
        # One host puts images of its page there and makes it in its own folder only.
        (data / "tmp").mkdir()
        for name, target in extensions.items():
            (data / "extensions" / name).symlink_to(target)
        self._models = data / "models"
        self._settings = data / "config.json"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = [
            *(str(python), "-u", "launch.py", *FLAGS),
            *("--data-dir", str(data), "--port", str(port)),
            # gradio 4 gives out the page's own scripts and styles only from folders named so, and
            # hosts name the one with the data.
            *("--gradio-allowed-path", str(folder), *flags),
        ]
        self._environment = {
            **os.environ,
            "IGNORE_CMD_ARGS_ERRORS": "1",
            "COMMANDLINE_ARGS": "",
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_OFFLINE": "1",
            # For a detector beside: it fetches and installs nothing, and keeps its settings here.
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_CONFIG_DIR": str(place),
            "NO_PROXY": "127.0.0.1",
            "CUDA_VISIBLE_DEVICES": "",
            # Else the host opens a browser of its own.
            "SD_WEBUI_RESTARTING": "1",
        }
        if engine is not None:
            self._environment["PYTHONPATH"] = str(engine)
        self._process: subprocess.Popen[bytes] | None = None
        # Hosts close a connection after an error; one that is kept would then be used in vain.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=self.url, timeout=600, trust_env=False, limits=limits)

    def add_model(self, kind: str, file: Path) -> None:
        """Gives it a copy of the file, in its folder of models of that kind, before it starts."""
        folder = self._models / kind
        folder.mkdir(exist_ok=True)
        shutil.copy(file, folder)

    def start(
        self, timeout: float, *, disabled: tuple[str, ...] = (), flags: tuple[str, ...] = ()
    ) -> float:
        """Returns the seconds it took. The log is begun anew.

        flags: more words for its command line. disabled: extensions to switch off, from now on.
        Some hosts take a file of settings without a mark of theirs for an old one, so this needs
        that the host has run before.
        """
        if disabled:
            known = json.loads(self._settings.read_text("utf-8")) if self._settings.exists() else {}
            known["disabled_extensions"] = list(disabled)
            self._settings.write_text(json.dumps(known), "utf-8")
        began = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, *flags],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.wait_until_said(READY, 1, timeout)
        return time.monotonic() - began

    def wait_until_said(
        self,
        word: str,
        times: int,
        timeout: float,
        pause: Callable[[], None] = lambda: time.sleep(0.5),
    ) -> None:
        """Until the word is so often in the log. pause: between two looks at it."""
        assert self._process is not None
        end = time.monotonic() + timeout
        while self.printed().count(word) < times:
            if self._process.poll() is not None:
                raise HostError(f"it ended with {self._process.returncode}:\n{self.last_lines()}")
            if time.monotonic() > end:
                raise HostError(f"no {word!r} after {timeout:.0f} s:\n{self.last_lines()}")
            pause()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        """Asks it to end as Ctrl+C does. Returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return process.returncode

    def printed(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def last_lines(self, count: int = 25) -> str:
        return "\n".join(self.printed().splitlines()[-count:])

    def get(self, path: str, **query: Any) -> Any:
        return _answer(self._client.get(path, params=query))

    def post(self, path: str, body: Any = None) -> Any:
        return _answer(self._client.post(path, json=body))

    def refused(self, path: str, body: Any) -> str:
        """What the host says to a request that must fail."""
        response = self._client.post(path, json=body)
        if response.status_code < 400:
            raise HostError(f"{path} should have failed and answered {response.status_code}")
        return response.text

    def generate(self, body: Mapping[str, Any], kind: str = "txt2img") -> Made:
        return Made(self.post(f"/sdapi/v1/{kind}", body))


class Made:
    """What the web API answers to a request for images."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.images = [read_image(text) for text in answer["images"]]
        self.info = json.loads(answer["info"])
        self.infotexts: list[str] = self.info["infotexts"]

    @property
    def pixels(self) -> np.ndarray:
        return self.images[0]


def _answer(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        asked = response.request
        raise HostError(f"{asked.method} {asked.url.path}: {response.status_code} {response.text}")
    return response.json()


def read_image(text: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image.convert("RGB"))


def as_text(pixels: np.ndarray) -> str:
    """The image as the web API takes it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()
