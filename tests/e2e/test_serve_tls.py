"""`kandinsky serve` over HTTPS: certificates and keys, clients that speak something else, slow
ones, shutdown."""

import contextlib
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.built import run_program
from support.certificates import Certificate, make_certificate, make_chain, openssl
from support.serving import DEMO, FEW, PRIOR, Server, serving, wait_for

IDLE_SECONDS = 30


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Certificate]:
    return make_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def server(chain: tuple[Path, Certificate]) -> Iterator[Server]:
    authority, certificate = chain
    with serving(
        *(DEMO, "--tls-cert", certificate.file, "--tls-key", certificate.key), authority=authority
    ) as running:
        assert running.url.startswith("https://127.0.0.1:")
        yield running


@pytest.fixture
def copied(chain: tuple[Path, Certificate], tmp_path: Path) -> Certificate:
    """A certificate and key whose files a test may change."""
    copies = Certificate(tmp_path / "copied.pem", tmp_path / "copied.key")
    copies.file.write_bytes(chain[1].file.read_bytes())
    copies.key.write_bytes(chain[1].key.read_bytes())
    copies.key.chmod(0o600)
    return copies


def handshake(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    host, port = server.address
    return subprocess.run(
        ["openssl", "s_client", "-brief", "-connect", f"{host}:{port}", *options],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_client_that_knows_the_authority_is_served(server: Server) -> None:
    assert server.wait(server.submit())["state"] == "done"
    generated = server.post("/sdapi/v1/txt2img", {"prompt": "x", **FEW, "kandinsky": PRIOR})
    assert len(generated.json["images"]) == 1
    # More than a record of TLS, in either direction.
    assert len(server.get("/openapi.json").content) > 1 << 15
    large = {"prompt": "x", "unknown": "y" * (20 << 20)}
    assert server.post("/sdapi/v1/txt2img", large).status == 422


def test_curl(server: Server) -> None:
    command = ["curl", "--silent", "--show-error", "--cacert", str(server.authority)]
    url = server.url + "health"
    # Two requests on one connection.
    done = subprocess.run([*command, url, url], capture_output=True, text=True, check=True)
    assert done.stdout.count('"status":"ok"') == 2
    unknown = subprocess.run(
        ["curl", "--silent", "--show-error", url], capture_output=True, text=True, check=False
    )
    assert unknown.returncode == 60, unknown.stderr


@pytest.mark.parametrize(("version", "is_spoken"), [("1_1", False), ("1_2", True), ("1_3", True)])
def test_versions(server: Server, version: str, is_spoken: bool) -> None:
    done = handshake(server, f"-tls{version}", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert (done.returncode == 0) == is_spoken, done.stderr
    assert ("alert protocol version" in done.stderr) == (not is_spoken)


def test_a_page_of_the_same_address_without_tls_is_another_site(server: Server) -> None:
    own = "{}:{}".format(*server.address)
    assert server.get("/health", headers={"Origin": f"https://{own}"}).status == 200
    assert server.get("/health", headers={"Origin": f"http://{own}"}).status == 403


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x00" * 1000,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
        b"",
    ],
)
def test_a_client_that_speaks_something_else_is_left(server: Server, sent: bytes) -> None:
    with socket.create_connection(server.address, timeout=20) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(4096)
        except TimeoutError:
            raise
        except OSError:
            answer = b""
    assert b"HTTP" not in answer
    assert server.get("/health").status == 200


def test_slow_handshakes_keep_nobody_waiting(server: Server) -> None:
    slow = [socket.create_connection(server.address) for _ in range(300)]
    try:
        for i, client in enumerate(slow):
            client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[: i % 11])
        assert server.get("/health", timeout=10).status == 200
    finally:
        for client in slow:
            client.close()


def test_silence_ends_a_connection(server: Server) -> None:
    """Before, in and after the handshake."""
    context = ssl.create_default_context(cafile=server.authority)
    silent = [socket.create_connection(server.address) for _ in range(3)]
    silent[1].sendall(b"\x16\x03\x01\x02\x00")
    silent[2] = context.wrap_socket(silent[2], server_hostname="localhost")
    silent[2].sendall(b"POST /health")
    for client in silent:
        client.settimeout(IDLE_SECONDS + 20)
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            assert client.recv(1) == b""
        client.close()


def test_who_hangs_up_is_not_worked_for(server: Server) -> None:
    before = server.metric('kandinsky_jobs_total{state="cancelled"}')
    body = b'{"prompt": "x", "steps": 999, "width": 64, "height": 64}'
    context = ssl.create_default_context(cafile=server.authority)
    with (
        socket.create_connection(server.address) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        client.sendall(head.encode() + b"\r\n\r\n" + body)
        wait_for(lambda: server.get("/health").json["running"])
    wait_for(lambda: server.metric('kandinsky_jobs_total{state="cancelled"}') == before + 1)


def test_shutdown_sends_the_last_answer(chain: tuple[Path, Certificate]) -> None:
    authority, certificate = chain
    with serving(
        *(DEMO, "--tls-cert", certificate.file, "--tls-key", certificate.key), authority=authority
    ) as server:
        answers = []
        body = {"prompt": "x", **FEW, "steps": 60, "kandinsky": PRIOR}
        client = threading.Thread(
            target=lambda: answers.append(server.post("/sdapi/v1/txt2img", body))
        )
        client.start()
        wait_for(lambda: server.get("/health").json["running"])
        server.process.send_signal(signal.SIGTERM)
        client.join(60)
        assert len(answers[0].json["images"]) == 1
        assert server.process.wait(10) == 0


def use_other_key(files: Certificate) -> None:
    files.key = make_certificate(files.key.parent / "other", "root").key


def use_other_kind_of_key(files: Certificate) -> None:
    files.key = make_certificate(files.key.parent / "other", "root", key="rsa1024").key


def use_weak_certificate(files: Certificate) -> None:
    weak = make_certificate(files.key.parent / "weak", "root", key="rsa1024")
    files.file, files.key = weak.file, weak.key


def encrypt(files: Certificate) -> None:
    encrypted = files.key.with_name("encrypted.key")
    openssl("pkey", "-in", files.key, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    files.key = encrypted


def swap(files: Certificate) -> None:
    files.file, files.key = files.key, files.file


def break_chain(files: Certificate) -> None:
    lines = files.file.read_text(encoding="ascii").splitlines()
    files.file.write_text("\n".join([*lines[:-4], "x" + lines[-4], *lines[-3:]]), encoding="ascii")


MISTAKES: dict[str, tuple[Callable[[Certificate], object], int, str, str]] = {
    "no certificate file": (lambda f: f.file.unlink(), 3, "copied.pem", "No such file"),
    "no key file": (lambda f: f.key.unlink(), 3, "copied.key", "No such file"),
    "an empty certificate": (lambda f: f.file.write_bytes(b""), 4, "copied.pem", "PEM"),
    "no PEM": (lambda f: f.file.write_bytes(b"\x30\x82" * 999), 4, "copied.pem", "PEM"),
    "no key in PEM": (lambda f: f.key.write_bytes(b"\0" * 999), 4, "copied.key", "PEM"),
    "too large": (lambda f: f.key.write_bytes(b"\n" * (2 << 20)), 2, "copied.key", "too many"),
    "a broken chain": (break_chain, 4, "copied.pem", "chain"),
    "swapped": (swap, 4, "copied.key", "no certificate"),
    "another key": (use_other_key, 9, "root.key", "copied.pem"),
    "another kind of key": (use_other_kind_of_key, 9, "root.key", "copied.pem"),
    "an encrypted key": (encrypt, 5, "encrypted.key", "encrypted"),
    "a weak certificate": (use_weak_certificate, 5, "root.pem", "too small"),
}


@pytest.mark.parametrize(("change", "code", "file", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_the_start(
    copied: Certificate,
    change: Callable[[Certificate], object],
    code: int,
    file: str,
    words: str,
) -> None:
    change(copied)
    done = run_program(
        "serve", "--model", DEMO, "--tls-cert", copied.file, "--tls-key", copied.key, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert file in done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--tls-cert", "--tls-key"])
def test_one_without_the_other(copied: Certificate, option: str) -> None:
    done = run_program("serve", "--model", DEMO, option, copied.file, timeout=60)
    assert done.returncode == 2
    assert "--tls-cert and --tls-key" in done.stderr


def test_a_key_that_everybody_can_read_is_remarked_on(copied: Certificate, tmp_path: Path) -> None:
    """The server then fails for want of a model."""
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef", encoding="ascii")
    secret.chmod(0o600)
    command = ("serve", "--model", tmp_path / "none", "--api-key-file", secret)
    tls = ("--tls-cert", copied.file, "--tls-key", copied.key)
    assert "can read" not in run_program(*command, *tls, timeout=60).stderr
    copied.key.chmod(0o644)
    done = run_program(*command, *tls, timeout=60)
    assert f"--tls-key {copied.key}: every user of this machine can read it" in done.stderr
    assert done.returncode == 3
    secret.chmod(0o604)
    assert f"--api-key-file {secret}: every user" in run_program(*command, timeout=60).stderr
