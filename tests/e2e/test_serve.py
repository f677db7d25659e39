"""`kandinsky serve`: who may ask, the queue, jobs by id, shutdown."""

import io
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.built import run_program
from support.serving import (
    DEMO,
    FEW,
    PRIOR,
    Server,
    data_uri,
    image_file,
    read_image,
    serving,
    wait_for,
)

KEY = "0123456789abcdef-secret"
LONG = {"num_inference_steps": 999}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(DEMO, "--queue", "2") as running:
        yield running


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY + "\n", encoding="ascii")
    return path


def end_all(server: Server) -> None:
    for job in server.get("/kandinsky/v1/jobs").json["jobs"]:
        if job["state"] in ("queued", "running"):
            server.ask("DELETE", f"/kandinsky/v1/jobs/{job['id']}")
    wait_for(lambda: not server.get("/health").json["running"])


def test_health_and_metrics(server: Server) -> None:
    health = server.get("/health").json
    assert health["status"] == "ok"
    assert health["model"] == "kandinsky-demo"
    before = server.metric("kandinsky_images_total")
    assert server.wait(server.submit(batch_size=2))["state"] == "done"
    assert server.metric("kandinsky_images_total") == before + 2
    assert server.metric("process_resident_memory_bytes") > 1e6
    assert server.metric('kandinsky_job_seconds_bucket{le="+Inf"}') >= 1


def test_a_job_gives_the_image_of_the_command_line(server: Server, tmp_path: Path) -> None:
    job = server.submit()
    assert server.wait(job)["seeds"] == [1]
    served = server.get(f"/kandinsky/v1/jobs/{job}/images/0")
    assert served.headers["Content-Type"] == "image/png"
    done = run_program(
        *("txt2img", "--model", DEMO, "--prompt", "a red circle", "--seed", "1", "--steps", "2"),
        *("--prior-steps", "2", "--width", "64", "--height", "64", "--quiet", "--threads", "1"),
        *("--output", tmp_path / "image.png"),
    )
    assert done.returncode == 0, done.stderr
    assert served.content == (tmp_path / "image.png").read_bytes()
    result = server.get(f"/kandinsky/v1/jobs/{job}/result").json
    assert "Seed: 1" in result["images"][0]["parameters"]
    assert read_image(result["images"][0]["image"]).size == (64, 64)


def test_a_mix_and_another_format(server: Server) -> None:
    items = [
        {"text": "a blue square", "weight": 0.4},
        {"image": data_uri(image_file()), "weight": 0.6},
    ]
    job = server.submit(prompt=None, mix=items, format="webp")
    assert server.wait(job)["state"] == "done"
    answer = server.get(f"/kandinsky/v1/jobs/{job}/images/0")
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    assert server.get(f"/kandinsky/v1/jobs/{job}/images/1").status == 404


def test_a_running_job_shows_itself_and_can_be_cancelled(server: Server) -> None:
    job = server.submit(**LONG)
    try:
        preview = wait_for(
            lambda: (
                found
                if (found := server.get(f"/kandinsky/v1/jobs/{job}/preview")).status == 200
                else None
            )
        )
        assert Image.open(io.BytesIO(preview.content)).size == (64, 64)
        now = server.job(job)
        assert now["stage"] == "denoise"
        assert 0 < now["progress"] < 1
        assert server.get(f"/kandinsky/v1/jobs/{job}/result").status == 409
        server.ask("DELETE", f"/kandinsky/v1/jobs/{job}")
        assert server.wait(job)["state"] == "cancelled"
        server.ask("DELETE", f"/kandinsky/v1/jobs/{job}")
        assert server.get(f"/kandinsky/v1/jobs/{job}").status == 404
        # The next one is not hit by what was meant for it.
        assert server.wait(server.submit())["state"] == "done"
    finally:
        end_all(server)


def test_a_full_queue_is_told_at_once(server: Server) -> None:
    try:
        server.wait_until_running(server.submit(**LONG))
        places = [server.job(server.submit())["position"] for _ in range(2)]
        assert places == [0, 1]
        refused = server.post("/sdapi/v1/txt2img", {"prompt": "x", **FEW})
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert "2 jobs" in refused.json["detail"]
        assert server.get("/health").status == 200
    finally:
        end_all(server)


def test_who_hangs_up_is_not_worked_for(server: Server) -> None:
    before = server.metric('kandinsky_jobs_total{state="cancelled"}')
    body = b'{"prompt": "x", "steps": 999, "width": 64, "height": 64}'
    with socket.create_connection(server.address) as client:
        head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        client.sendall(head.encode() + b"\r\n\r\n" + body)
        wait_for(lambda: server.get("/health").json["running"])
    wait_for(lambda: server.metric('kandinsky_jobs_total{state="cancelled"}') == before + 1)
    assert not server.get("/health").json["running"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"num_inference_stepz": 2}, "num_inference_steps"),
        ({"seed": -2}, "seed"),
        ({"batch_size": 65}, "batch_size"),
        ({"batch_size": 10, "n_iter": 10}, "n_iter"),
        ({"model_dir": "/etc"}, "model_dir"),
        ({"image": "/etc/passwd"}, "image"),
        ({"mix": [{"embeds": "/etc/passwd"}]}, "embeds"),
        ({"format": "gif"}, "format"),
        ({"prompt": 5}, "prompt"),
    ],
)
def test_a_mistake_names_the_option(server: Server, options: dict[str, object], named: str) -> None:
    answer = server.post("/kandinsky/v1/jobs", {"prompt": "x", **options})
    assert answer.status == 422, answer.content
    assert named in answer.json["detail"]


def test_a_bad_image_is_a_mistake_of_the_request(server: Server) -> None:
    for image in ("data:image/png;base64,????", data_uri(image_file()[:60]), data_uri(b"GIF89a")):
        answer = server.post("/sdapi/v1/img2img", {"init_images": [image], **FEW})
        assert answer.status == 422, answer.content
        assert answer.json["error"]["type"] == "invalid_request_error"


def test_without_a_key_it_answers_to_this_machine_alone(server: Server) -> None:
    assert server.get("/health", headers={"Host": "rebound.example"}).status == 403
    assert server.get("/health", headers={"Origin": "https://evil.example"}).status == 403
    host, port = server.address
    assert server.get("/health", headers={"Origin": f"http://{host}:{port}"}).status == 200


def test_other_addresses_need_a_key(key_file: Path, tmp_path: Path) -> None:
    refused = run_program("serve", "--model", DEMO, "--listen", "0.0.0.0")
    assert refused.returncode == 2
    assert "--api-key-file" in refused.stderr
    (tmp_path / "short").write_text("12345\n", encoding="ascii")
    short = run_program("serve", "--model", DEMO, "--api-key-file", tmp_path / "short")
    assert short.returncode == 2
    with serving(
        DEMO, "--listen", "0.0.0.0", "--api-key-file", key_file, key=KEY, host="127.0.0.1"
    ) as server:
        assert server.get("/sdapi/v1/samplers").status == 200
        assert server.get("/sdapi/v1/samplers", headers={"Host": "any.example"}).status == 200
        basic = "Basic " + __import__("base64").b64encode(f"me:{KEY}".encode()).decode()
        assert server.get("/metrics", headers={"Authorization": basic}).status == 200
        server.key = ""
        for path in ("/sdapi/v1/samplers", "/metrics", "/kandinsky/v1/jobs", "/nothing"):
            assert server.get(path).status == 401
        wrong = {"Authorization": f"Bearer {KEY[:-1]}x"}
        assert server.get("/metrics", headers=wrong).status == 401
        assert server.get("/health").status == 200
        assert server.get("/").status == 200


def test_shutdown_finishes_what_runs_and_hands_back_what_waits() -> None:
    with serving(DEMO) as server:
        statuses = {}

        def ask(name: str, steps: int) -> None:
            body = {"prompt": "x", **FEW, "steps": steps, "kandinsky": PRIOR}
            statuses[name] = server.post("/sdapi/v1/txt2img", body).status

        first = threading.Thread(target=ask, args=("running", 60))
        first.start()
        wait_for(lambda: server.get("/health").json["running"])
        second = threading.Thread(target=ask, args=("waiting", 2))
        second.start()
        wait_for(lambda: server.get("/health").json["waiting"])
        server.process.send_signal(signal.SIGTERM)
        second.join(10)
        first.join(60)
        assert statuses == {"running": 200, "waiting": 503}
        assert server.process.wait(10) == 0


def test_shutdown_ends_what_runs_too_long() -> None:
    with serving(DEMO, "--grace", "1") as server:
        server.wait_until_running(server.submit(**LONG))
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        wait_for(lambda: server.get("/health").status == 503)
        assert server.process.wait(20) == 0
        assert time.monotonic() - began < 10


def test_a_port_that_is_taken(server: Server) -> None:
    done = run_program("serve", "--model", DEMO, "--port", str(server.address[1]))
    assert done.returncode == 11
    assert "in use" in done.stderr
