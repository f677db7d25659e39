"""A hub on this machine that behaves, or misbehaves as a test wants.

Two servers: the endpoint, which describes files and redirects to large ones, and another host that
has their bytes. What is asked of either is in `requests`.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "c" * 40
LONGEST_STALL = 5


@dataclass
class Asked:
    server: str
    method: str
    path: str
    range: str
    token: str


class FakeHub:
    """Use with `with`.

    files: by "<repository>/<path>". large: those that lie at the other host.
    twists: what happens to the next requests for a file, by "<method> <repository>/<path>", first
    come, first gone: a status, or the name of a way to misbehave; see _Handler.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.twists: dict[str, list[int | str]] = defaultdict(list)
        self.requests: list[Asked] = []
        self.headers: dict[str, str] = {}
        """More of them, in each answer with a status that a twist gave."""
        self.released = threading.Event()
        """Ends stalls."""
        self._servers = {name: self._server(name) for name in ("endpoint", "store")}
        self.address, self.store = (
            f"http://127.0.0.1:{server.server_port}" for server in self._servers.values()
        )

    def _server(self, name: str) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"hub": self, "name": name})
        return _Server(("127.0.0.1", 0), handler)

    def __enter__(self) -> FakeHub:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.released.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def add_folder(self, repository: str, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                self.files[f"{repository}/{name}"] = path.read_bytes()

    def asked(self, method: str = "GET", server: str = "store") -> list[Asked]:
        return [one for one in self.requests if (one.method, one.server) == (method, server)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Those who ask go away when they like."""


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    name: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.close_connection = True
        asked = Asked(
            self.name,
            self.command,
            self.path,
            self.headers.get("Range", ""),
            self.headers.get("Authorization", ""),
        )
        self.hub.requests.append(asked)
        name = re.sub(r"/resolve/[^/]+/", "/", unquote(self.path).lstrip("/"))
        content = self.hub.files.get(name)
        twists = self.hub.twists[f"{self.command} {name}"]
        is_large = name.endswith(".safetensors")
        # Those of large files wait for the host that has the bytes.
        mine = self.command == "HEAD" or not is_large or self.name == "store"
        twist = twists.pop(0) if twists and mine else None
        if isinstance(twist, int):
            self._send(twist, self.hub.headers, b"")
        elif content is None:
            self._send(404, {}, b"")
        elif twist == "moved":
            self._send(307, {"Location": f"/{name}"}, b"")
        elif twist in ("to http", "in circles"):
            away = "http://192.0.2.1/x" if twist == "to http" else self.path
            self._send(302, {"Location": away}, b"")
        elif twist == "login":
            self._send(200, {"Content-Type": "text/html"}, b"<html>Welcome to the hotel</html>")
        elif self.name == "endpoint" and is_large:
            self._send(302, {**_linked(content), "Location": f"{self.hub.store}/{name}"}, b"moved")
        elif self.command == "HEAD":
            self._describe(content)
        else:
            self._bytes(content, str(twist or ""))

    def _describe(self, content: bytes) -> None:
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        headers = {"ETag": f'"{git}"', "X-Repo-Commit": COMMIT}
        self._send(200, headers, b"", len(content))

    def _bytes(self, content: bytes, twist: str) -> None:
        size, start = len(content), 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        headers = {}
        if asked and twist != "no ranges":
            start = int(asked[1])
            said = start + 1 if twist == "other range" else start
            total = size + 1 if twist == "other size" else size
            headers["Content-Range"] = f"bytes {said}-{size - 1}/{total}"
        body = content[start:]
        length: int | None = len(body)
        match twist:
            case "wrong bytes":
                body = bytes(255 - byte for byte in body)
            case "packed":
                body = gzip.compress(body)
                headers["Content-Encoding"] = "gzip"
                length = len(body)
            case "too long":
                length = len(body) + 1
            case "too short":
                length = len(body) - 1
            case "endless":
                body, length = body + b"more", None
        status = 206 if "Content-Range" in headers else 200
        if twist in ("cut", "stall"):
            self._send(status, headers, body[: len(body) // 2], length)
            if twist == "stall":
                self.hub.released.wait(LONGEST_STALL)
        elif twist == "slow":
            self._send(status, headers, b"", length)
            for at in range(0, len(body), 1000):
                if self.hub.released.is_set():
                    break
                self.wfile.write(body[at : at + 1000])
                time.sleep(0.005)
        elif twist == "silent":
            self.hub.released.wait(LONGEST_STALL)
        else:
            self._send(status, headers, body[: length or len(body)], length)

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, length: int | None = -1
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _linked(content: bytes) -> dict[str, str]:
    return {
        "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
        "X-Linked-Size": str(len(content)),
        "X-Repo-Commit": COMMIT,
    }
