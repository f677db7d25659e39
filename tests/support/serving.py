"""`kandinsky serve` as a process of its own, and requests to it."""

import base64
import io
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from support.built import PROGRAM, ROOT

DEMO = ROOT / "demo/model/kandinsky-demo"
FEW: dict[str, Any] = {"steps": 2, "width": 64, "height": 64, "seed": 1}
"""What makes a request of the hosts' API quick; the prior's steps are in PRIOR."""
PRIOR: dict[str, Any] = {"prior_num_inference_steps": 2}
JOB: dict[str, Any] = {"num_inference_steps": 2, "width": 64, "height": 64, "seed": 1, **PRIOR}


@dataclass
class Answer:
    status: int
    content: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    key: str = ""
    authority: Path | None = None
    """For HTTPS: the only certificate that is trusted."""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.authority) if self.authority else None

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> Answer:
        """A body that is not bytes is sent as JSON."""
        headers = {
            **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
            **(headers or {}),
        }
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            self.url.rstrip("/") + path, data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self.context) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.ask("POST", path, b"" if body is None else body, **more)

    def submit(self, **options: Any) -> str:
        answer = self.post("/kandinsky/v1/jobs", {"prompt": "a red circle", **JOB, **options})
        assert answer.status == 202, answer.content
        return str(answer.json["id"])

    def job(self, job: str) -> Any:
        return self.get(f"/kandinsky/v1/jobs/{job}").json

    def wait(self, job: str) -> Any:
        return wait_for(
            lambda: now if (now := self.job(job))["state"] not in ("queued", "running") else None
        )

    def wait_until_running(self, job: str) -> None:
        wait_for(lambda: self.job(job)["state"] == "running")

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").content.decode().splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        raise KeyError(name)


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition gives once that is true."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return result


@contextmanager
def serving(
    model: Path,
    *options: str | Path,
    key: str = "",
    host: str = "",
    authority: Path | None = None,
) -> Iterator[Server]:
    """A server on a free port. host: what to ask it by, where that is not where it listens."""
    process = subprocess.Popen(
        [PROGRAM, "serve", "--model", model, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise AssertionError(process.communicate()[1])
        if host:
            url = f"http://{host}:{urlsplit(url).port}/"
        yield Server(url, process, key, authority)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def image_file(colour: tuple[int, ...] = (200, 30, 30), size: int = 64, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (size, size), colour).save(file, "PNG")
    return file.getvalue()


def mask_file(size: int = 64) -> bytes:
    """White in the left half."""
    mask = Image.new("L", (size, size), 0)
    mask.paste(255, (0, 0, size // 2, size))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data_uri(content: bytes) -> str:
    return "data:image/png;base64," + base64_of(content)


def read_image(text: str) -> Image.Image:
    """From base64, with or without what a data: URI has before it."""
    return Image.open(io.BytesIO(base64.b64decode(text.rpartition(",")[2])))
