"""webuiapi and openai, unchanged, against a server: client_checks.py URL KEY [AUTHORITY]

AUTHORITY: for https, the certificate that they are told to trust, as their users would. Runs in an
environment of its own, see e2e/test_serve_clients.py.
"""

import base64
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai
import webuiapi
from PIL import Image

SIZE = 64
PRIOR = {"prior_num_inference_steps": 2}
Error = TypeVar("Error", bound=Exception)


def hole() -> Image.Image:
    """Transparent in its left half."""
    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, SIZE // 2, SIZE))
    return image


def png(image: Image.Image) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, "PNG")
    file.seek(0)
    file.name = "image.png"
    return file


def error_of(kind: type[Error], call: Callable[[], object]) -> Error:
    """What the call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("a mistake was taken")


def check_webuiapi(url: str, key: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    api = webuiapi.WebUIApi(
        host=parts.hostname,
        port=parts.port,
        use_https=parts.scheme == "https",
        username="any",
        password=key,
        steps=2,
    )
    few: dict[str, Any] = {"width": SIZE, "height": SIZE, "seed": 1}
    made = api.txt2img(prompt="a red circle", batch_size=2, **few)
    assert [image.size for image in made.images] == [(SIZE, SIZE)] * 2
    assert made.info["all_seeds"] == [1, 2]
    assert made.image.info["parameters"] == made.info["infotexts"][0]
    changed = api.img2img(images=[made.image], prompt="a blue square", **few)
    assert changed.image.size == (SIZE, SIZE)
    mask = Image.new("L", (SIZE, SIZE), 0)
    mask.paste(255, (0, 0, SIZE // 2, SIZE))
    inpainted = api.img2img(
        images=[made.image], mask_image=mask, mask_blur=0, prompt="a star", **few
    )
    right = (SIZE * 5 // 8, 0, SIZE, SIZE)
    assert inpainted.image.crop(right).tobytes() == made.image.crop(right).tobytes()
    assert "Euler a" in api.util_get_sampler_names()
    assert "karras" in api.util_get_scheduler_names()
    (model,) = api.util_get_model_names()
    api.util_set_model(model)
    assert api.util_get_current_model() == model
    assert api.get_memory()["ram"]["total"] > 0
    api.util_wait_for_ready()
    api.interrupt()
    api.skip()
    refused = error_of(RuntimeError, lambda: api.txt2img(prompt="x", cfg_scale=-1))
    assert refused.args[0] == 422
    assert "cfg_scale" in refused.args[1]


def check_openai(url: str, key: str) -> None:
    client = openai.OpenAI(base_url=f"{url}v1", api_key=key, max_retries=0)
    own = {"kandinsky": {"num_inference_steps": 2, **PRIOR}}
    size: Any = f"{SIZE}x{SIZE}"
    assert [model.id for model in client.models.list()] == ["kandinsky-demo"]

    def read(image: Any) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(image.b64_json)))

    made = client.images.generate(
        model="kandinsky-demo", prompt="a red circle", n=2, size=size, extra_body=own
    )
    assert made.data is not None
    assert [read(image).size for image in made.data] == [(SIZE, SIZE)] * 2
    first = read(made.data[0])
    edited = client.images.edit(
        image=png(first), mask=png(hole()), prompt="a blue square", size=size, model="any"
    )
    assert edited.data is not None
    assert read(edited.data[0]).size == (SIZE, SIZE)
    varied = client.images.create_variation(image=png(first), n=1, size=size)
    assert varied.data is not None
    assert read(varied.data[0]).size == (SIZE, SIZE)
    refused = error_of(
        openai.UnprocessableEntityError,
        lambda: client.images.generate(prompt="x", n=1000, model="any"),
    )
    assert refused.param == "n"
    other = openai.OpenAI(base_url=f"{url}v1", api_key="wrong", max_retries=0)
    error_of(openai.AuthenticationError, other.models.list)


if __name__ == "__main__":
    for authority in sys.argv[3:]:
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = authority
    check_webuiapi(*sys.argv[1:3])
    check_openai(*sys.argv[1:3])
    print("webuiapi and openai are served")
