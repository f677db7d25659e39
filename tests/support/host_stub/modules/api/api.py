"""The host's web API: how a request becomes a run, and an exception an answer."""

import base64
import io
import secrets
import traceback
from contextlib import closing

from fastapi import Body, Depends, HTTPException
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from PIL import Image

from modules import processing, scripts, sd_models, sd_samplers, shared


def decode_base64_to_image(encoding):
    if encoding.startswith("data:image/"):
        encoding = encoding.split(";")[1].split(",")[1]
    try:
        return Image.open(io.BytesIO(base64.b64decode(encoding)))
    except Exception as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error


def encode_pil_to_base64(image):
    file = io.BytesIO()
    image.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


class _Hooks:
    """The hooks of an always-on script with its arguments."""

    def __init__(self, script, args):
        self.script = script
        self.args = args

    def setup(self, p):
        self.script.setup(p, *self.args)

    def before_process(self, p):
        self.script.before_process(p, *self.args)


class Api:
    """txt2img, img2img: the scripts of the two tabs."""

    def __init__(self, app, queue_lock, txt2img, img2img):
        self.app = app
        self.queue_lock = queue_lock
        self.scripts = {"txt2img": txt2img, "img2img": img2img}
        wanted = getattr(shared.cmd_opts, "api_auth", None)
        self.credentials = dict(pair.split(":") for pair in wanted.split(",")) if wanted else {}

        @app.middleware("http")
        async def answer_all(request, call_next):
            try:
                return await call_next(request)
            except Exception as error:
                return self._answer(error)

        @app.exception_handler(HTTPException)
        async def answer_http(_request, error):
            return self._answer(error)

        self.add_api_route("/sdapi/v1/txt2img", self.text2imgapi, methods=["POST"])
        self.add_api_route("/sdapi/v1/img2img", self.img2imgapi, methods=["POST"])
        self.add_api_route("/sdapi/v1/progress", self.progressapi, methods=["GET"])
        self.add_api_route("/sdapi/v1/unload-checkpoint", self.unloadapi, methods=["POST"])

    def _answer(self, error):
        if not isinstance(error, HTTPException):
            traceback.print_exception(error)
        detail, status = getattr(error, "detail", ""), getattr(error, "status_code", 500)
        body = {"error": type(error).__name__, "detail": detail, "errors": str(error)}
        return JSONResponse(status_code=status, content=body)

    def add_api_route(self, path, endpoint, **kwargs):
        if self.credentials:
            kwargs["dependencies"] = [Depends(self.auth)]
        self.app.add_api_route(path, endpoint, **kwargs)

    def auth(self, credentials: HTTPBasicCredentials = Depends(HTTPBasic())):  # noqa: B008
        known = self.credentials.get(credentials.username)
        if known is not None and secrets.compare_digest(credentials.password, known):
            return True
        raise HTTPException(
            status_code=401,
            detail="Incorrect username or password",
            headers={"WWW-Authenticate": "Basic"},
        )

    def text2imgapi(self, txt2imgreq: dict = Body(...)):  # noqa: B008
        return self._run("txt2img", processing.StableDiffusionProcessingTxt2Img, txt2imgreq)

    def img2imgapi(self, img2imgreq: dict = Body(...)):  # noqa: B008
        if img2imgreq.get("init_images") is None:
            raise HTTPException(status_code=404, detail="Init image not found")
        return self._run("img2img", processing.StableDiffusionProcessingImg2Img, img2imgreq)

    def progressapi(self):
        return {"textinfo": shared.state.textinfo}

    def unloadapi(self):
        sd_models.unload_model_weights()
        return {}

    def _run(self, tab, kind, request):
        known = {script.title().lower(): script for script in self.scripts[tab]}
        values = dict(request)
        name, args = values.pop("script_name", None), values.pop("script_args", [])
        if name and name.lower() not in known:
            raise HTTPException(status_code=422, detail=f"Script '{name}' not found")
        hooks = [
            _Hooks(known[title.lower()], entry["args"])
            for title, entry in values.pop("alwayson_scripts", {}).items()
        ]
        values["sampler_name"], values["scheduler"] = sd_samplers.get_sampler_and_scheduler(
            values.get("sampler_name"), values.get("scheduler")
        )
        if "mask" in values:
            values["image_mask"] = decode_base64_to_image(values.pop("mask"))
        with self.queue_lock, closing(kind(**values)) as p:
            p.is_api = True
            p.scripts = scripts.Runner(hooks)
            if tab == "img2img":
                p.init_images = [decode_base64_to_image(text) for text in request["init_images"]]
            shared.state.begin(f"scripts_{tab}")
            try:
                p.call("setup")
                if name:
                    processed = known[name.lower()].run(p, *args)
                else:
                    processed = processing.process_images(p)
            finally:
                shared.state.end()
        images = [encode_pil_to_base64(image) for image in processed.images]
        return {"images": images, "info": "\n".join(processed.infotexts)}
