"""Clients of others, unchanged, and the examples of docs/server.md."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.built import ROOT
from support.certificates import make_chain
from support.serving import DEMO, Server, base64_of, image_file, serving

KEY = "0123456789abcdef"
DOCUMENT = (ROOT / "docs/server.md").read_text(encoding="utf-8")
# An example with curl, and the answer that the document shows.
EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text(KEY, encoding="ascii")
    with serving(DEMO, "--api-key-file", file, key=KEY) as running:
        yield running


def check_clients(server: Server, *authority: Path) -> None:
    done = subprocess.run(
        [
            *(ROOT / "tests/tools/with_requirements.sh", ".venv-clients"),
            "tests/support/client_requirements.txt",
            *("tests/support/client_checks.py", server.url, KEY, *authority),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "webuiapi and openai are served" in done.stdout


def test_webuiapi_and_openai(server: Server) -> None:
    check_clients(server)


def test_webuiapi_and_openai_over_https(tmp_path: Path) -> None:
    authority, certificate = make_chain(tmp_path)
    (tmp_path / "key").write_text(KEY, encoding="ascii")
    tls = ("--tls-cert", certificate.file, "--tls-key", certificate.key)
    with serving(
        *(DEMO, "--api-key-file", tmp_path / "key", *tls), key=KEY, authority=authority
    ) as server:
        check_clients(server, authority)


def shape(shown: Any, got: Any) -> None:
    """The answer has what the document shows, where "..." stands for anything."""
    if shown == "...":
        return
    if isinstance(shown, dict):
        for name, value in shown.items():
            shape(value, got[name])
    elif isinstance(shown, list):
        for value, other in zip(shown, got, strict=False):
            shape(value, other)
        assert len(got) >= len(shown)
    elif shown == "queued":
        # An idle server may have begun before it answers.
        assert got in (shown, "running")
    else:
        assert got == shown


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "image.png").write_bytes(image_file())
    return tmp_path


@pytest.mark.parametrize(("command", "shown"), EXAMPLE.findall(DOCUMENT))
def test_the_documents_examples(server: Server, place: Path, command: str, shown: str) -> None:
    assert shutil.which("curl"), "the examples need curl"
    command = command.replace("http://127.0.0.1:7861/", server.url)
    command = command.replace("IMAGE", base64_of(image_file()))
    if "ID" in command:
        job = server.submit()
        server.wait(job)
        command = command.replace("ID", job)
    key = f"curl -H 'Authorization: Bearer {KEY}' "
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.replace("curl ", key, 1)],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shape(json.loads(shown), json.loads(done.stdout))


def test_there_are_examples() -> None:
    assert len(EXAMPLE.findall(DOCUMENT)) >= 6


def test_the_openapi_document(server: Server) -> None:
    document = server.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    options = document["components"]["schemas"]["options"]["properties"]
    assert options["num_inference_steps"]["maximum"] == 1000
    assert "DDPM" in options["sampler"]["enum"]
    assert "model_dir" not in options
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody")
            assert (body is not None) <= (method == "post")
            for content in (body or {"content": {}})["content"].values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                assert name in document["components"]["schemas"]
            assert operation["summary"]
            # Each route is there: nothing answers 404 or 405 but for a job that is not.
            filled = path.replace("{id}", "none").replace("{index}", "0")
            if method == "get" and "{id}" not in path:
                assert server.get(filled).status == 200
