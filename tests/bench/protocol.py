"""How the bench and its workers talk: one JSON object per line, a request in, an answer out.

A worker is a process of its own that keeps one competitor's model loaded and measures what it is
asked for, one thing at a time; the others sleep meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
HERE = Path(__file__).resolve().parent


class WorkerError(Exception):
    """A worker could not do what it was asked, or is gone."""


def serve(handlers: Mapping[str, Callable[..., Answer]]) -> None:
    """The worker's side: answers requests from stdin until it ends.

    A request {"do": name, ...} calls handlers[name] with its other fields. What libraries print
    goes to stderr; an exception becomes the answer {"error": text}.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = handlers[request.pop("do")](**request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


class Worker:
    """The bench's side of one worker process."""

    def __init__(
        self,
        name: str,
        python: Path,
        script: str,
        options: Mapping[str, Any],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log_path = log
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [python, HERE / script, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env={**os.environ, **(environment or {})},
            )

    def ask(self, what: str, **fields: Any) -> Answer:
        """Its answer. Raises WorkerError if it fails or has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(
                f"{self.name} ended with {self._process.wait()} at {what}; see {self._log_path}"
            )
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}, {what}: {answer['error']}")
        return answer

    def peak_memory(self) -> int:
        """The most bytes that were resident at once, files in memory included (VmHWM)."""
        return self._memory("VmHWM")

    def memory(self) -> int:
        """Of those, what is resident now (VmRSS)."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return bytes_of_status(status, name)

    def stop(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                # To one that is gone, what it did not read cannot be sent any more.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def bytes_of_status(status: str, name: str) -> int:
    """A line of /proc/<pid>/status, such as VmHWM."""
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise WorkerError(f"/proc tells no {name}: memory can be measured on Linux only")
