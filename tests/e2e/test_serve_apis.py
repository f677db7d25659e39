"""The routes that other programs' clients know: Automatic1111's and OpenAI's."""

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.serving import (
    DEMO,
    FEW,
    PRIOR,
    Answer,
    Server,
    base64_of,
    data_uri,
    image_file,
    mask_file,
    read_image,
    serving,
    wait_for,
)

import kandinsky_engine as kandinsky


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(DEMO) as running:
        yield running


def txt2img(server: Server, **fields: Any) -> Answer:
    body = {"prompt": "a red circle", **FEW, "kandinsky": PRIOR, **fields}
    return server.post("/sdapi/v1/txt2img", body)


def img2img(server: Server, **fields: Any) -> Answer:
    body = {"init_images": [data_uri(image_file())], **FEW, "kandinsky": PRIOR, **fields}
    return server.post("/sdapi/v1/img2img", body)


def form(**fields: str | bytes) -> dict[str, Any]:
    """The body and headers of a form; bytes are files."""
    lines = []
    for name, value in fields.items():
        file = '; filename="image.png"' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        head = f'--limit\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        lines.append(head.encode() + content + b"\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    return {"body": b"".join(lines) + b"--limit--\r\n", "headers": headers}


def test_txt2img_as_hosts_answer_it(server: Server) -> None:
    answer = txt2img(server, n_iter=2, batch_size=2, negative_prompt="blue", sampler_name="euler a")
    assert answer.status == 200, answer.content
    info = json.loads(answer.json["info"])
    assert info["all_seeds"] == [1, 2, 3, 4]
    assert info["sampler_name"] == "Euler a"
    assert info["all_negative_prompts"] == ["blue"] * 4
    assert len(answer.json["images"]) == len(info["infotexts"]) == 4
    for image, text in zip(answer.json["images"], info["infotexts"], strict=True):
        assert read_image(image).info["parameters"] == text
    assert "Negative prompt: blue\nSteps: 2, Sampler: Euler a" in info["infotexts"][0]
    # An image of a batch is the one that its own seed gives alone.
    alone = txt2img(server, seed=3, negative_prompt="blue", sampler_name="Euler a")
    assert alone.json["images"][0] == answer.json["images"][2]


def test_random_seeds_are_told(server: Server) -> None:
    info = json.loads(txt2img(server, seed=-1, batch_size=2).json["info"])
    assert info["seed"] >= 0
    assert info["all_seeds"] == [info["seed"], info["seed"] + 1]


def test_variations_are_of_one_seed(server: Server) -> None:
    answer = txt2img(server, subseed=5, subseed_strength=0.5, batch_size=2)
    info = json.loads(answer.json["info"])
    assert info["all_seeds"] == [1, 1]
    assert info["all_subseeds"] == [5, 6]


def test_samplers_with_a_schedule_in_their_name(server: Server) -> None:
    info = json.loads(txt2img(server, sampler_name="DPM++ 2M Karras").json["info"])
    assert "Sampler: DPM++ 2M, Schedule type: Karras" in info["infotexts"][0]


def test_what_has_no_effect_is_told(server: Server) -> None:
    info = json.loads(txt2img(server, eta=1.0, save_images=True).json["info"])
    assert "eta has no effect" in info["remarks"]
    assert "save_images has no effect" in info["remarks"]


def test_a_mask_keeps_the_rest(server: Server) -> None:
    mask = base64_of(mask_file())
    answer = img2img(server, mask=mask, mask_blur=0, inpainting_fill=1, denoising_strength=1)
    assert answer.status == 200, answer.content
    pixels = np.asarray(read_image(answer.json["images"][0]))
    assert (pixels[:, 40:] == (200, 30, 30)).all()
    assert (pixels[:, :24] != (200, 30, 30)).any()
    inverted = img2img(server, mask=mask, mask_blur=0, inpainting_mask_invert=1)
    pixels = np.asarray(read_image(inverted.json["images"][0]))
    assert (pixels[:, :24] == (200, 30, 30)).all()
    assert inverted.json["parameters"]["init_images"] is None


def test_strength_0_gives_the_image_back(server: Server) -> None:
    answer = img2img(server, denoising_strength=0, init_images=[base64_of(image_file())])
    assert (np.asarray(read_image(answer.json["images"][0])) == (200, 30, 30)).all()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"steps": 0}, "steps"),
        ({"step": 5}, "steps"),
        ({"cfg_scale": "high"}, "cfg_scale"),
        ({"sampler_name": "Eular"}, "sampler_name"),
        ({"scheduler": "Karas"}, "scheduler"),
        ({"width": 1 << 20}, "width"),
        ({"seed": 1.5}, "seed"),
        ({"enable_hr": True}, "enable_hr"),
        ({"styles": ["anime"]}, "styles"),
        ({"script_name": "xyz plot"}, "script_name"),
        ({"alwayson_scripts": {"ControlNet": {"args": []}}}, "alwayson_scripts"),
        ({"override_settings": {"sd_model_checkpoint": "other"}}, "sd_model_checkpoint"),
        ({"kandinsky": {"mask_fil": "fill"}}, "mask_fill"),
        ({"kandinsky": {"prior_dir": "/"}}, "prior_dir"),
        ({"init_images": []}, "init_images"),
    ],
)
def test_a_mistake_names_the_field(server: Server, fields: dict[str, Any], named: str) -> None:
    answer = txt2img(server, **fields)
    assert answer.status == 422, answer.content
    assert named in answer.json["detail"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"init_images": []}, "init_images"),
        ({"init_images": ["http://host/image.png"]}, "init_images"),
        ({"init_images": [5]}, "init_images"),
        ({"resize_mode": 4}, "resize_mode"),
        ({"inpainting_fill": 9}, "inpainting_fill"),
        ({"mask": base64_of(mask_file(32))}, "mask"),
    ],
)
def test_a_mistake_about_images(server: Server, fields: dict[str, Any], named: str) -> None:
    answer = img2img(server, **fields)
    assert answer.status == 422, answer.content
    assert named in answer.json["detail"]


def test_lists(server: Server) -> None:
    names = [sampler["name"] for sampler in server.get("/sdapi/v1/samplers").json]
    assert names == ["Automatic", *kandinsky.samplers()]
    assert txt2img(server, sampler_name=names[0]).status == 200
    labels = [scheduler["label"] for scheduler in server.get("/sdapi/v1/schedulers").json]
    assert labels == list(kandinsky.schedulers())
    (model,) = server.get("/sdapi/v1/sd-models").json
    options = server.get("/sdapi/v1/options").json
    assert model["title"] == options["sd_model_checkpoint"]
    assert str(DEMO.parent) not in json.dumps(model)
    chosen = {"sd_model_checkpoint": model["title"]}
    assert server.post("/sdapi/v1/options", chosen).status == 200
    assert server.post("/sdapi/v1/options", {"sd_model_checkpoint": "x"}).status == 422
    assert server.get("/sdapi/v1/memory").json["ram"]["total"] > 0
    assert server.post("/sdapi/v1/unload-checkpoint").status == 200
    assert server.get("/v1/models").json["data"][0]["id"] == "kandinsky-demo"


def test_interrupt_gives_what_there_is(server: Server) -> None:
    answers = []
    body = {"steps": 900, "n_iter": 2}
    thread = threading.Thread(target=lambda: answers.append(txt2img(server, **body)))
    thread.start()
    progress = wait_for(
        lambda: (
            now
            if (now := server.get("/sdapi/v1/progress").json)["current_image"] is not None
            else None
        )
    )
    assert progress["state"]["job_count"] == 2
    assert progress["state"]["sampling_steps"] == 900
    assert 0 < progress["progress"] < 1
    assert progress["eta_relative"] > 0
    assert read_image(progress["current_image"]).size == (64, 64)
    quick = server.get("/sdapi/v1/progress?skip_current_image=true").json
    assert quick["current_image"] is None
    assert server.post("/sdapi/v1/skip").status == 200
    wait_for(lambda: server.get("/sdapi/v1/progress").json["state"]["job_no"] == 1)
    wait_for(lambda: server.get("/sdapi/v1/progress").json["textinfo"] == "denoise")
    assert server.post("/sdapi/v1/interrupt").status == 200
    thread.join(60)
    assert answers[0].status == 200
    assert len(answers[0].json["images"]) == 2
    assert server.get("/sdapi/v1/progress").json["progress"] == 0


SMALL = {"num_inference_steps": 2, "seed": 1, **PRIOR}


def test_openai_generations(server: Server) -> None:
    body = {"model": "any", "prompt": "a red circle", "n": 2, "size": "64x64", "kandinsky": SMALL}
    answer = server.post("/v1/images/generations", body)
    assert answer.status == 200, answer.content
    first, second = (read_image(item["b64_json"]) for item in answer.json["data"])
    assert first.size == second.size == (64, 64)
    assert first.tobytes() != second.tobytes()
    same = txt2img(server)
    assert read_image(same.json["images"][0]).tobytes() == first.tobytes()
    jpeg = server.post("/v1/images/generations", {**body, "n": 1, "output_format": "jpeg"})
    assert read_image(jpeg.json["data"][0]["b64_json"]).format == "JPEG"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 0}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "0x64"}, "width"),
        ({"response_format": "url"}, "response_format"),
        ({"stream": True}, "stream"),
        ({"promt": "x"}, "promt"),
    ],
)
def test_openai_mistakes(server: Server, fields: dict[str, Any], named: str) -> None:
    answer = server.post("/v1/images/generations", {"prompt": "x", **fields})
    assert answer.status == 422
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.json["error"]["param"] == named


def holed_file(colour: tuple[int, int, int]) -> bytes:
    """Transparent in the left half."""
    image = Image.new("RGBA", (64, 64), (*colour, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_openai_edits_and_variations(server: Server) -> None:
    image = image_file((200, 30, 30, 255), mode="RGBA")
    mask = holed_file((0, 0, 0))
    own = json.dumps({**SMALL, "mask_blur": 0})
    edited = server.post(
        "/v1/images/edits", **form(image=image, mask=mask, prompt="x", kandinsky=own)
    )
    assert edited.status == 200, edited.content
    pixels = np.asarray(read_image(edited.json["data"][0]["b64_json"]))
    assert (pixels[:, 40:] == (200, 30, 30)).all()
    assert (pixels[:, :24] != (200, 30, 30)).any()
    varied = server.post(
        "/v1/images/variations", **form(image=image, n="2", size="64x64", kandinsky=own)
    )
    assert varied.status == 200, varied.content
    assert len(varied.json["data"]) == 2


def test_openai_edits_without_a_mask(server: Server) -> None:
    """What is transparent in the image is inpainted, else the whole image is changed."""
    colour = (200, 30, 30)

    def edited(image: bytes, **options: float) -> np.ndarray:
        own = json.dumps({**SMALL, "mask_blur": 0, **options})
        answer = server.post("/v1/images/edits", **form(image=image, prompt="x", kandinsky=own))
        assert answer.status == 200, answer.content
        return np.asarray(read_image(answer.json["data"][0]["b64_json"]))

    under_hole = edited(holed_file(colour))
    assert (under_hole[:, 32:] == colour).all()
    assert (under_hole[:, :32] != 255).any()
    opaque = edited(image_file((*colour, 255), mode="RGBA"), strength=1)
    assert (opaque[:, 32:] != colour).any()


def test_forms_that_are_none(server: Server) -> None:
    whole = form(image=image_file(), prompt="x")
    for body in (b"", b"--limit", whole["body"][:-20], b"--limit\r\n\r\n\r\n--limit--"):
        assert server.post("/v1/images/edits", body, headers=whole["headers"]).status == 400
    assert server.post("/v1/images/edits", {"prompt": "x"}).status == 415
    missing = server.post("/v1/images/edits", **form(prompt="x"))
    assert missing.status == 422
    assert "image" in missing.json["detail"]
