"""Requests that are none, too large, too slow or cut off: the server says so and goes on."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.serving import DEMO, FEW, PRIOR, Server, serving, wait_for

BODY_LIMIT = 32 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(DEMO) as running:
        yield running


@pytest.fixture(autouse=True)
def _goes_on(server: Server) -> Iterator[None]:
    yield
    body = {"prompt": "x", **FEW, "kandinsky": PRIOR}
    assert server.post("/sdapi/v1/txt2img", body).status == 200


def first_line(server: Server, sent: bytes) -> str:
    """What the server answers to these bytes, "" if it only hangs up."""
    with socket.create_connection(server.address, timeout=20) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(4096)
        except TimeoutError:
            raise
        except OSError:  # it may have hung up before all was sent
            return ""
    return answer.split(b"\r\n")[0].decode("latin-1")


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/kandinsky/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/kandinsky/v1/jobs/%00",
        "/sdapi/v1/txt2img/",
        "//",
        "/" + "a" * 10_000,
        "/kandinsky/v1/jobs/0/images/-1",
    ],
)
def test_paths_that_lead_nowhere(server: Server, path: str) -> None:
    assert server.get(path).status == 404


def test_methods_that_a_route_does_not_take(server: Server) -> None:
    answer = server.get("/sdapi/v1/txt2img")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert server.ask("DELETE", "/health").status == 405
    assert server.ask("PUT", "/health").status == 501
    assert server.ask("HEAD", "/health").content == b""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"prompt": "\xff"}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"steps": 1e999}', 400),
        (b"[" * 100_000, 422),
        (b'{"a":' * 100_000, 422),
        (b'{"prompt": [' + b"1," * 100_000 + b"1]}", 422),
        (b'{"prompt": "\\u0000", "steps": 99999999999999999999}', 422),
    ],
)
def test_bodies_that_are_no_request(server: Server, body: bytes, status: int) -> None:
    for path in ("/sdapi/v1/txt2img", "/kandinsky/v1/jobs", "/v1/images/generations"):
        assert server.post(path, body).status == status


def test_images_that_are_too_large_for_the_memory(server: Server) -> None:
    job = server.submit(width=11_000, height=11_000, batch_size=8)
    assert server.wait(job)["state"] == "failed"
    assert server.get(f"/kandinsky/v1/jobs/{job}/result").status in (422, 507)


def test_a_body_that_is_too_large_is_not_read(server: Server) -> None:
    sent = head("/sdapi/v1/txt2img", f"Content-Length: {BODY_LIMIT + 1}")
    assert "413" in first_line(server, sent)
    for length in ("99999999999999999999999", "-5", "five"):
        assert "20" not in first_line(
            server, head("/sdapi/v1/txt2img", f"Content-Length: {length}")
        )


def test_headers_that_never_end(server: Server) -> None:
    sent = head("/sdapi/v1/txt2img", *[f"X-{i}: {'y' * 1000}" for i in range(40)])
    assert "200" not in first_line(server, sent)


def test_a_body_that_is_cut_off(server: Server) -> None:
    before = server.metric('kandinsky_jobs_total{state="done"}')
    body = json.dumps({"prompt": "x", **FEW}).encode()
    for sent in (
        head("/sdapi/v1/txt2img", "Content-Length: 5000") + body,
        head("/sdapi/v1/txt2img", "Transfer-Encoding: chunked") + b"ffff\r\n" + body,
        head("/sdapi/v1/txt2img", "Transfer-Encoding: chunked") + b"zz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a client that speaks TLS
        b"GET\r\n\r\n",
        b"\x00" * 100,
    ):
        assert "200" not in first_line(server, sent)
    assert server.metric('kandinsky_jobs_total{state="done"}') == before


def test_slow_clients_keep_nobody_waiting(server: Server) -> None:
    slow = [socket.create_connection(server.address) for _ in range(300)]
    try:
        for i, client in enumerate(slow):
            client.sendall(head("/sdapi/v1/txt2img", "Content-Length: 100")[: 20 + i % 60])
        assert server.get("/health", timeout=5).status == 200
    finally:
        for client in slow:
            client.close()


def test_more_clients_than_there_are_descriptors() -> None:
    with serving(DEMO) as server:
        limit = 64
        subprocess.run(
            ["prlimit", f"--pid={server.process.pid}", f"--nofile={limit}:{limit}"], check=True
        )
        clients = [socket.create_connection(server.address) for _ in range(2 * limit)]
        spent = cpu_seconds(server.process.pid)
        for client in clients:
            client.close()
        wait_for(lambda: server.get("/health", timeout=10).status == 200)
        assert cpu_seconds(server.process.pid) - spent < 5


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks: int = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks
