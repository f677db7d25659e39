"""What programs get from the host's web API: images, answers to their mistakes, our own routes."""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "api.md"


def as_text(image):
    file = io.BytesIO()
    image.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8))
WHOLE = as_text(NOISE)
CUT = base64.b64encode(base64.b64decode(WHOLE)[:9000]).decode()
"""A file whose beginning is good."""


@pytest.fixture
def serve(host):
    """Starts the host's API, with these credentials if there are any, and gives a client."""

    def start(api_auth=None, api=True):
        host.shared.cmd_opts.api_auth = api_auth
        app = FastAPI()
        if api:
            importlib.import_module("modules.api.api").Api(
                app,
                host.call_queue.queue_lock,
                [host.script, host.twin],
                [host.img2img_script, host.img2img_twin],
            )
        host.script_callbacks.app_started_callback(None, app)
        return TestClient(app, raise_server_exceptions=False)

    return start


@pytest.fixture
def client(serve):
    return serve()


def asked(host, script=True, settings=None, **fields):
    """A request's body with our script chosen, or with our panel on."""
    args = host.settings(**(settings or {}))
    if script:
        return {"script_name": "kandinsky", "script_args": args, **fields}
    return {"alwayson_scripts": {"Kandinsky for other scripts": {"args": [True, args]}}, **fields}


@pytest.mark.parametrize("script", [True, False])
def test_an_image(host, client, script):
    answer = client.post("/sdapi/v1/txt2img", json=asked(host, script, prompt="x", seed=5))
    assert answer.status_code == 200
    image = Image.open(io.BytesIO(base64.b64decode(answer.json()["images"][0])))
    alone = host.txt2img(prompt="x", seed=5, sampler_name="DPM++ 2M").images[0]
    assert image.tobytes() == alone.tobytes()


def test_arguments_left_out_are_not_those_of_the_scripts_behind(host):
    """The host puts a short list where the whole one was, and all behind it moves up."""
    follower = type("Follower", (), {"args_to": 60})()
    p = host.processing.StableDiffusionProcessingTxt2Img(prompt="x")
    p.scripts = host.scripts.Runner(scripts=[follower])
    count = len(host.ext("controls").CONTROLS)
    given = [7, 2.0]
    p.script_args = (1, *given, *[None] * (60 - 1 - count))
    start = 1
    processed = host.script.run(p, *p.script_args[start : start + count])
    assert "Kandinsky prior steps: 7, Kandinsky prior CFG scale: 2.0" in processed.infotexts[0]


MISTAKES = {
    "a number too large": ({"prior_steps": 2000}, {}, '"Prior inference steps" is 2000'),
    "a number too small": ({"prior_cfg_scale": 0}, {}, '"Prior CFG scale" is 0'),
    "no number": ({"prior_steps": None}, {}, '"Prior inference steps" is None'),
    "a strength": ({"mix_strength_2": 2.5}, {}, '"Strength of image 2" is 2.5'),
    "no such word": ({"mix_method": "mean"}, {}, "\"Mixing method\" is 'mean'"),
    "no such model": ({"model": "gone"}, {}, 'no Kandinsky model "gone"'),
    "no such sampler": ({"sampler": "Restart"}, {}, "\"Kandinsky sampler\" is 'Restart'"),
    "a mix of nothing": ({"mix": True}, {}, '"Image 2"'),
    "no image": ({"mix": True, "mix_image_2": "xx"}, {}, '"Image 2" is not an image'),
    "a cut image": ({"mix": True, "mix_image_2": CUT}, {}, '"Image 2" is not an image'),
    "a negative width": ({}, {"width": -64}, "Width: -64, expected 8 or more"),
    "a negative height": ({}, {"height": -64}, "Height: -64, expected 8 or more"),
    "no steps": ({}, {"steps": 0}, "Steps: 0, expected 1 or more"),
    "no batch": ({}, {"n_iter": 0}, "Batch count: 0, expected 1 or more"),
    "too many steps": ({}, {"steps": 1000}, "num_inference_steps is 1000"),
    "a variation": ({}, {"subseed_strength": 1.5}, "Variation strength: 1.5, expected 0 to 1"),
    "half a character": ({}, {"prompt": "a\ud800"}, "Prompt: "),
}
OF_IMG2IMG = {
    "no images": ([], {}, "there is no image (init_images)"),
    "a cut image": ([WHOLE, CUT], {}, "Image 2 of img2img (init_images) cannot be read"),
    "a cut mask": ([WHOLE], {"mask": CUT}, "Mask of img2img cannot be read"),
    "a strength": ([WHOLE], {"denoising_strength": 1.5}, "Denoising strength: 1.5"),
}


@pytest.mark.parametrize("script", [True, False], ids=["script", "panel"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_its_name(host, client, capfd, mistake, script):
    settings, fields, reason = MISTAKES[mistake]
    body = json.dumps(asked(host, script, settings, **fields))
    before = host.snapshot()
    answer = client.post("/sdapi/v1/txt2img", content=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "HTTPException")
    assert answer.json()["detail"].startswith("Kandinsky: ")
    assert reason in answer.json()["detail"]
    assert capfd.readouterr().err == ""
    assert host.snapshot() == before


@pytest.mark.parametrize("script", [True, False], ids=["script", "panel"])
@pytest.mark.parametrize("mistake", OF_IMG2IMG)
def test_a_mistake_in_img2img_is_answered_with_its_name(host, client, mistake, script):
    images, fields, reason = OF_IMG2IMG[mistake]
    body = asked(host, script, init_images=images, **fields)
    answer = client.post("/sdapi/v1/img2img", json=body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize("image", [None, "iVBORw0KGgo=", {"image": "x"}])
def test_the_arguments_of_another_extension_are_refused_with_ours(host, client, image):
    body = {**asked(host), "script_args": [image, 25, 4.0, "2.1", 0.5, 0.5, False]}
    answer = client.post("/sdapi/v1/txt2img", json=body)
    assert answer.status_code == 422
    assert "another extension" in answer.json()["detail"]
    assert "in this order: prior_steps, prior_cfg_scale, model" in answer.json()["detail"]


def test_what_is_no_mistake_of_the_callers_is_500(host, client, capfd, monkeypatch):
    def fail(*_args, **_kwargs):
        raise ValueError("operands could not be broadcast")

    monkeypatch.setattr(host.engine.Engine, "denoise", fail)
    assert client.post("/sdapi/v1/txt2img", json=asked(host)).status_code == 500
    assert "operands could not be broadcast" in capfd.readouterr().err


def test_a_page_gets_the_error_itself(host):
    with pytest.raises(host.ext("errors").UserError):
        host.txt2img(args=host.settings(prior_steps=2000))


def test_a_missing_engine_is_503(host, client, monkeypatch):
    engine = host.ext("engine")

    def missing():
        raise engine.EngineUnavailableError("The Kandinsky engine is not built")

    monkeypatch.setattr(engine, "load_package", missing)
    answer = client.post("/sdapi/v1/txt2img", json=asked(host))
    assert (answer.status_code, "is not built" in answer.json()["detail"]) == (503, True)
    assert "is not built" in client.get("/kandinsky/v1/state").json()["problem"]
    assert client.post("/kandinsky/v1/load", json={}).status_code == 503


def test_the_hosts_unload_route_unloads_both(client):
    client.post("/kandinsky/v1/load", json={})
    assert client.post("/sdapi/v1/unload-checkpoint").status_code == 200
    assert client.get("/kandinsky/v1/state").json()["loaded"] is None


def test_load_state_and_unload(host, client):
    assert client.get("/kandinsky/v1/models").json() == [{"name": "toy", "hash": None}]
    nothing = {"loaded": None, "problem": None}
    assert client.get("/kandinsky/v1/state").json() == nothing
    loaded = {"model": "toy", "precision": "fp32", "device": "cpu"}
    answer = client.post("/kandinsky/v1/load", json={"model": "toy"})
    assert (answer.status_code, answer.json()["loaded"]) == (200, loaded)
    # The run after it finds it open.
    assert client.post("/sdapi/v1/txt2img", json=asked(host)).status_code == 200
    assert len(host.called("open")) == 1
    assert client.get("/kandinsky/v1/state").json()["loaded"] == loaded
    assert client.post("/kandinsky/v1/unload").json() == nothing
    assert client.post("/kandinsky/v1/unload").json() == nothing


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"model": "../toy"}, 'no Kandinsky model "../toy"'),
        ({"precision": "fp64"}, "\"Precision\" is 'fp64'"),
        ({"precision": "fp16"}, "fp16 is not possible on a CPU"),
    ],
)
def test_a_mistake_in_load(client, body, reason):
    answer = client.post("/kandinsky/v1/load", json=body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


def test_state_answers_during_a_run(host, client, monkeypatch):
    seen = []
    denoise = host.engine.Engine.denoise

    def during(self, *args, **kwargs):
        assert host.call_queue.queue_lock.locked()
        seen.append(client.get("/kandinsky/v1/state").json()["loaded"]["model"])
        return denoise(self, *args, **kwargs)

    monkeypatch.setattr(host.engine.Engine, "denoise", during)
    assert client.post("/sdapi/v1/txt2img", json=asked(host)).status_code == 200
    assert seen == ["toy"]


ROUTES = [
    ("GET", "models"),
    ("GET", "state"),
    ("GET", "download"),
    ("POST", "load"),
    ("POST", "unload"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_routes_ask_for_the_hosts_credentials(serve, method, path):
    client = serve(api_auth="me:secret,you:other")
    ask = {"method": method, "url": f"/kandinsky/v1/{path}"}
    body = {"json": {}} if path == "load" else {}
    assert client.request(**ask, **body).status_code == 401
    assert client.request(**ask, **body, auth=("me", "other")).status_code == 401
    assert client.request(**ask, **body, auth=("you", "other")).status_code == 200


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_routes_where_the_hosts_api_is_off(serve, method, path):
    assert serve(api=False).request(method, f"/kandinsky/v1/{path}").status_code == 404


def test_routes_are_added_once(host, client):
    before = len(client.app.routes)
    host.script_callbacks.app_started_callback(None, client.app)
    assert len(client.app.routes) == before


def examples():
    """Pairs of a curl command and the JSON it is answered with, as the document has them."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(r"```sh\n(curl .*?)```\n+(?:[^`]*?\n+)?```json\n(.*?)```", text, re.DOTALL)


def test_the_documents_examples(host, client):
    folder = host.toy.rename(host.toy.with_name("kandinsky-2-1"))
    (folder / "unet").mkdir()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"weights")
    found = examples()
    assert len(found) == DOCUMENT.read_text(encoding="utf-8").count("curl ") >= 6
    for command, wanted in found:
        words = shlex.split(command.replace("\\\n", " "))
        url = next(word for word in words if word.startswith("http://127.0.0.1:7860/"))
        path = url.removeprefix("http://127.0.0.1:7860")
        given = words[words.index("-d") + 1] if "-d" in words else None
        method = "POST" if given is not None or "POST" in words else "GET"
        content = None if given is None else given.replace("IMAGE", WHOLE)
        answer = client.request(method, path, content=content)
        same(json.loads(wanted), answer.json())


def same(wanted, got):
    """Equal, but that "..." stands for anything, or for the rest of a text."""
    if isinstance(wanted, dict):
        assert set(wanted) <= set(got)
        for key, value in wanted.items():
            same(value, got[key])
    elif isinstance(wanted, list):
        assert len(wanted) == len(got)
        for one, other in zip(wanted, got, strict=True):
            same(one, other)
    elif isinstance(wanted, str) and wanted.endswith("..."):
        assert got.startswith(wanted[:-3])
    else:
        assert wanted == got
