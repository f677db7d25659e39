"""What the extension must do through a host's web API."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import given
import numpy as np
from checklist import Absent, Checks, Context, fail, require, same
from host import Made, as_text
from PIL import Image, ImageDraw
from signatures import differs, does_not_bind, stand_in, used
from stand_in_own import is_at, real_name

SIZE = 128
STEPS = 10
PROMPT = "a red circle on a white background"
NOWHERE = "no such model"
checks = Checks()


def arguments(context: Context, **values: Any) -> list[Any]:
    """The script's arguments in their order: the defaults, but for these values."""
    given = {"prior_steps": STEPS, "precision": "fp32", **values}
    return [given.get(row.field, row.default) for row in context.controls]


def request(context: Context, *, script: bool = True, **values: Any) -> dict[str, Any]:
    """A small request; script: by the entry in the dropdown. Values that are controls go there."""
    fields = {row.field for row in context.controls}
    own = {key: value for key, value in values.items() if key in fields}
    body = {
        "prompt": PROMPT,
        "seed": 1,
        "width": SIZE,
        "height": SIZE,
        "steps": STEPS,
        "cfg_scale": 2,
        "sampler_name": "Euler a",
        "scheduler": "Automatic",
        **{key: value for key, value in values.items() if key not in fields},
    }
    if script:
        body.update(script_name="Kandinsky", script_args=arguments(context, **own))
    return body


def other_script(**values: Any) -> dict[str, Any]:
    """For `alwayson_scripts`: Kandinsky under another script, with these values by name."""
    given = {"prior_steps": STEPS, "precision": "fp32", **values}
    return {"Kandinsky for other scripts": {"args": [True, given]}}


def base(context: Context) -> Made:
    """The image that others are compared with."""
    if context.base is None:
        context.base = context.host.generate(request(context))
    return context.base


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@checks.add
def entry_on_both_tabs(context: Context) -> str:
    """The script is in the dropdown of both tabs, the panel for other scripts beside it."""
    listed = context.host.get("/sdapi/v1/scripts")
    for tab in ("txt2img", "img2img"):
        for title in ("kandinsky", "kandinsky for other scripts"):
            require(title in listed[tab], f"{tab} lists {listed[tab]}")
    return f"{len(listed['txt2img'])} scripts in txt2img"


@checks.add
def api_describes_the_controls(context: Context) -> str:
    """`script-info` has every control with its label, default and range."""
    described = next(
        (
            info
            for info in context.host.get("/sdapi/v1/script-info")
            if info["name"] == "kandinsky" and not info["is_img2img"]
        ),
        None,
    )
    if described is None:
        fail("script-info does not know the script")
    for row, found in zip(context.controls, described["args"], strict=True):
        require(found["label"] == row.label, f"{row.label} is called {found['label']}")
        if row.default is not None:
            same(found["value"], row.shown(row.default), f"the default of {row.label}")
        for key in ("minimum", "maximum", "step"):
            if hasattr(row, key):
                same(found[key], getattr(row, key), f"the {key} of {row.label}")
    return f"{len(context.controls)} controls"


@checks.add
def names_the_extension_uses(context: Context) -> str:
    """All that the extension names of the host's modules is there, and its calls are valid."""
    uses = used(context.extension / "extension" / "kandinsky_ext")
    real = context.host.post("/kandinsky-probe/objects", sorted(uses.places))
    wrong = [
        f"{name} ({place})"
        for name, place in uses.places.items()
        if real[name] is None and not any(is_at(name, one) for one in uses.optional)
    ]
    for call in uses.calls:
        parameters = (real[call.name] or {}).get("parameters")
        reason = does_not_bind(call, parameters) if parameters is not None else None
        if reason:
            wrong.append(f"{call.name} {reason} ({call.where})")
    require(not wrong, "; ".join(wrong))
    return f"{len(uses.places)} names, {len(uses.calls)} calls"


@checks.add
def stand_in_has_the_real_signatures(context: Context) -> str:
    """What the tests' stand-in for a host declares, the host declares so, too."""
    ours = {
        name: (f"modules.{real}", parameters)
        for name, parameters in stand_in(context.stand_in)
        # What of a loop is a host's own, and what it has for that, is nobody's module.
        if not is_at(name, "loop") and (real := real_name(name, context.kind))
    }
    real = context.host.post("/kandinsky-probe/objects", [theirs for theirs, _ in ours.values()])
    wrong = []
    for name, (theirs, parameters) in ours.items():
        if real[theirs] is None:
            wrong.append(f"{name}: no {theirs}")
        elif parameters and real[theirs]["parameters"] is not None:
            difference = differs(parameters, real[theirs]["parameters"])
            if difference:
                wrong.append(f"{name}: {difference}")
    require(not wrong, "; ".join(wrong))
    return f"{len(ours)} functions, classes and methods"


SMALL_STEPS = ("--steps", str(STEPS), "--sampler", "Euler a", "--prior-steps", str(STEPS))
"""What `request` asks for, in the command line's words."""


def of_the_command_line(
    context: Context, *more: str, model: Path | None = None
) -> tuple[np.ndarray, str]:
    """The command line's image for this prompt and seed, and its parameters. model: the demo model,
    or another.
    """
    file = context.place / "command-line.png"
    subprocess.run(
        [
            *(str(context.program), "txt2img", "--model", str(model or context.model)),
            *("--prompt", PROMPT, "--seed", "1", "--width", str(SIZE), "--height", str(SIZE)),
            *("--cfg-scale", "2", "--precision", "fp32", "--device", "cpu", *more),
            *("--output", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB")), str(image.info["parameters"])


@checks.add
def image_of_the_command_line(context: Context) -> str:
    """Text to image gives the command line's image, byte for byte."""
    made = base(context)
    context.keep("txt2img", made.pixels)
    expected, _ = of_the_command_line(context, *SMALL_STEPS)
    difference = np.abs(expected.astype(int) - made.pixels).max()
    require(difference == 0, f"they differ by up to {difference} levels of 255")
    return f"{SIZE} x {SIZE}, {STEPS} steps"


@checks.add
def infotext_names_what_was_used(context: Context) -> str:
    text = base(context).infotexts[0]
    for part in ("Script: Kandinsky", f"Kandinsky prior steps: {STEPS}", "kandinsky-demo"):
        require(part in text, f"no {part!r} in {text!r}")
    require("Model hash" not in text, f"the host's model is in {text!r}")
    return text.splitlines()[-1]


@checks.add
def arguments_may_be_left_out(context: Context) -> str:
    """Those at the end have their defaults then, though scripts with arguments follow."""
    given = arguments(context)
    for count in (4, 12, len(given)):
        body = {**request(context), "script_args": given[:count]}
        made = context.host.generate(body)
        require(np.array_equal(made.pixels, base(context).pixels), f"{count} give another image")
    return "4, 12 and all"


@checks.add
def same_seed_same_image(context: Context) -> str:
    again = context.host.generate(request(context))
    require(np.array_equal(again.pixels, base(context).pixels), "the second image is another")
    return "equal"


@checks.add
def batches(context: Context) -> str:
    """Two batches of two: four images of four seeds, each as it comes alone."""
    made = context.host.generate(request(context, n_iter=2, batch_size=2))
    images = made.images[-4:]
    same(len(images), 4, "images")
    require(np.array_equal(images[0], base(context).pixels), "the first is not its seed's")
    alone = context.host.generate(request(context, seed=4))
    require(np.array_equal(images[3], alone.pixels), "the fourth is not what its seed gives alone")
    same(made.info["all_seeds"], [1, 2, 3, 4], "seeds")
    return "4 images; the 1st and 4th as they come alone"


@checks.add
def image_to_image(context: Context) -> str:
    """Denoising strength 0 gives the source again; more gives other images, one for each."""
    source = base(context).pixels
    body = request(context, prompt="a blue square", init_images=[as_text(source)])
    found = {}
    for strength in (0, 0.5, 1):
        made = context.host.generate({**body, "denoising_strength": strength}, "img2img")
        context.keep(f"img2img-{strength}", made.pixels)
        found[strength] = made.pixels
    away = [distance(pixels, source) for pixels in found.values()]
    require(away[0] < 12, f"strength 0 is {away[0]:.1f} away from the source")
    require(min(away[1:]) > 2 * away[0] + 1, f"mean distances from the source: {away}")
    require(distance(found[0.5], found[1]) > 1, "strengths 0.5 and 1 give one image")
    return "mean distances " + ", ".join(f"{value:.1f}" for value in away)


@checks.add
def inpaint_only_masked(context: Context) -> str:
    """What is outside the mask stays as it is, to the byte; what is inside changes."""
    source = base(context).pixels
    mask = Image.new("RGB", (SIZE, SIZE))
    box = (32, 32, 95, 95)
    ImageDraw.Draw(mask).rectangle(box, fill="white")
    made = context.host.generate(
        request(
            context,
            prompt="a blue star",
            init_images=[as_text(source)],
            mask=as_text(np.asarray(mask)),
            mask_blur=0,
            inpainting_fill=1,
            inpaint_full_res=True,
            inpaint_full_res_padding=16,
            denoising_strength=0.9,
        ),
        "img2img",
    )
    context.keep("inpaint", made.pixels)
    inside = np.zeros((SIZE, SIZE), bool)
    inside[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    require(
        np.array_equal(made.pixels[~inside], source[~inside]), "pixels outside the mask changed"
    )
    changed = distance(made.pixels[inside], source[inside])
    require(changed > 5, f"inside the mask the mean change is {changed:.1f}")
    return f"mean change inside {changed:.1f}, outside 0"


@checks.add
def hires_fix(context: Context) -> str:
    """A second pass with a pixel and with a latent upscaler."""
    plain = base(context).pixels
    listed = [upscaler["name"] for upscaler in context.host.get("/sdapi/v1/upscalers")]
    # A host may fetch others from the net.
    pixels = next((name for name in ("Lanczos", "Bicubic", "Nearest") if name in listed), "None")
    # Not every host has one for latents.
    latent = [mode["name"] for mode in context.host.get("/sdapi/v1/latent-upscale-modes")][:1]
    upscalers = [pixels, *latent]
    for upscaler in upscalers:
        made = context.host.generate(
            request(
                context,
                enable_hr=True,
                hr_scale=2,
                hr_upscaler=upscaler,
                hr_second_pass_steps=6,
                denoising_strength=0.6,
                hr_cfg=2,
                hr_additional_modules=["Use same choices"],
            )
        )
        context.keep(f"hires-{upscaler}", made.pixels)
        same(made.pixels.shape, (2 * SIZE, 2 * SIZE, 3), f"the size with {upscaler}")
        require("Hires upscale: 2" in made.infotexts[0], "no hires pass in the infotext")
        small = np.asarray(Image.fromarray(made.pixels).resize((SIZE, SIZE), Image.Resampling.BOX))
        away = distance(small, plain)
        require(0 < away < 60, f"{upscaler}: {away:.1f} away from the image without it")
    return f"{' and '.join(upscalers)}, twice the size"


@checks.add
def under_other_scripts(context: Context) -> str:
    """The panel for other scripts gives the dropdown entry's image."""
    body = request(context, script=False, alwayson_scripts=other_script())
    made = context.host.generate(body)
    require(np.array_equal(made.pixels, base(context).pixels), "it is another image")
    require("Kandinsky for other scripts: True" in made.infotexts[0], made.infotexts[0])
    return "equal"


def plot_request(context: Context, **wanted: Any) -> dict[str, Any]:
    """A request for the host's plot, by the labels of its controls with _ for a blank."""
    described = next(
        (i for i in context.host.get("/sdapi/v1/script-info") if i["name"] == "x/y/z plot"), None
    )
    if described is None:
        raise Absent("this host has no X/Y/Z plot")
    values = []
    for argument in described["args"]:
        label = argument["label"] or ""
        value = wanted.get(label.replace(" ", "_"), argument["value"])
        choices = argument.get("choices")
        if label in ("X type", "Y type", "Z type") and choices:
            names = [c if isinstance(c, str) else c[0] for c in choices]
            value = names.index(value if value in names else "Nothing")
        elif label == "Include Sub Images":
            value = True
        values.append(value)
    return request(
        context,
        script=False,
        script_name="X/Y/Z plot",
        script_args=values,
        alwayson_scripts=other_script(),
    )


@checks.add
def xyz_plot(context: Context) -> str:
    """The host's plot over two seeds and two numbers of steps, by Kandinsky."""
    body = plot_request(
        context, X_type="Seed", X_values="1,2", Y_type="Steps", Y_values=f"{STEPS},5"
    )
    made = context.host.generate(body)
    context.keep("xyz", made.pixels)
    require(
        any(np.array_equal(image, base(context).pixels) for image in made.images[1:]),
        f"none of {len(made.images) - 1} cells is the image of its seed and steps",
    )
    blank = [i for i, image in enumerate(made.images) if image.max() == image.min()]
    require(not blank, f"images {blank} are blank")
    require(made.pixels.shape[0] > 2 * SIZE and made.pixels.shape[1] > 2 * SIZE, "no grid")
    return f"a grid of {made.pixels.shape[1]} x {made.pixels.shape[0]}, {len(made.images)} images"


@checks.add
def own_axis_of_the_plot(context: Context) -> str:
    """A cell of an axis of ours is the image of its value alone, byte for byte."""
    label = "[Kandinsky] Prior inference steps"
    made = context.host.generate(plot_request(context, X_type=label, X_values=f"{STEPS},4"))
    alone = context.host.generate(request(context, prior_steps=4))
    for pixels, what in ((base(context).pixels, STEPS), (alone.pixels, 4)):
        require(
            any(np.array_equal(image, pixels) for image in made.images[1:]),
            f"no cell is the image of {what} prior steps",
        )
    require(not np.array_equal(base(context).pixels, alone.pixels), "the axis changes nothing")
    return "2 cells equal"


@checks.add
def run_inside_a_run(context: Context) -> str:
    """A detailer's own img2img, in a batch too, gives what the same request gives alone."""
    detail = {"prompt": "a blue square", "denoising_strength": 0.5, "seed": 1}
    body = request(context, batch_size=2, alwayson_scripts={"Probe detailer": {"args": [detail]}})
    made = context.host.generate(body)
    for place in range(2):
        plain = context.host.generate(request(context, seed=1 + place))
        alone = context.host.generate(
            request(context, init_images=[as_text(plain.pixels)], **detail), "img2img"
        )
        found = made.images[place - 2]
        require(not np.array_equal(found, plain.pixels), "nothing was done")
        require(np.array_equal(found, alone.pixels), f"image {place + 1} is another than alone")
    return "2 of a batch equal"


@checks.add
def mixing_with_an_image(context: Context) -> str:
    """An image among the script's arguments, as the text that the API has for one."""
    blue = np.zeros((SIZE, SIZE, 3), np.uint8)
    blue[..., 2] = 255
    found = {}
    for name, text in {
        "plain": as_text(blue),
        "data": f"data:image/png;base64,{as_text(blue)}",
    }.items():
        made = context.host.generate(request(context, mix=True, mix_image_2=text))
        found[name] = made.pixels
        require("Kandinsky mix" in made.infotexts[0], made.infotexts[0])
    context.keep("mix", found["plain"])
    require(np.array_equal(found["plain"], found["data"]), "a data URI gives another image")
    require(distance(found["plain"], base(context).pixels) > 1, "the image has no effect")
    return "plain base64 and a data URI"


@checks.add
def depth_map(context: Context) -> str:
    """A model with depth control follows its map as on the command line; no other takes one."""
    near, far = (given.depth_map(context, SIZE, falling=falling) for falling in (False, True))
    texts = [as_text(np.asarray(Image.open(file))) for file in (near, far)]
    with given.depth_model(context) as model:
        made = [
            context.host.generate(request(context, model=model.name, hint=text)) for text in texts
        ]
        context.keep("depth-map", made[0].pixels)
        require("Kandinsky hint: " in made[0].infotexts[0], made[0].infotexts[0])
        more = (*SMALL_STEPS, "--hint", str(near))
        expected, _ = of_the_command_line(context, *more, model=model)
        require(np.array_equal(made[0].pixels, expected), "it is not the command line's image")
        require(distance(made[0].pixels, made[1].pixels) > 0, "the map has no effect")
        said = context.host.refused("/sdapi/v1/txt2img", request(context, model=model.name))
        require('"Depth map\\"' in said and "needs one" in said, said)
    said = context.host.refused("/sdapi/v1/txt2img", request(context, hint=texts[0]))
    require('"Depth map\\"' in said and "takes none" in said, said)
    require_base_again(context)
    return "equal to the command line's; one missing and one too many are named"


@checks.add
def lora_in_the_prompt(context: Context) -> str:
    """<lora:name:weight> gives the command line's image with this file, if it is one of ours."""
    with given.lora(context) as file:
        asked = request(context, prompt=f"{PROMPT} <lora:{given.LORA}:0.8>")
        made = context.host.generate(asked)
        context.keep("lora", made.pixels)
        expected, _ = of_the_command_line(context, *SMALL_STEPS, "--lora", f"{file}:0.8")
        require(np.array_equal(made.pixels, expected), "it is not the command line's image")
        require(distance(made.pixels, base(context).pixels) > 1, "the LoRA has no effect")
        require(f'Kandinsky loras: "{file.name} [' in made.infotexts[0], made.infotexts[0])
        require_base_again(context)
    missing = context.host.generate(asked)
    require(np.array_equal(missing.pixels, base(context).pixels), "a file that is gone has effect")
    require("Kandinsky loras" not in missing.infotexts[0], missing.infotexts[0])
    return "equal to the command line's; gone with its tag, and with its file"


@checks.add
def components(context: Context) -> str:
    """A UNet from models/Kandinsky/unet gives the command line's image with this file."""
    with given.other_unet(context) as file:
        made = context.host.generate(request(context, unet=file.name))
        context.keep("other-unet", made.pixels)
        expected, _ = of_the_command_line(context, *SMALL_STEPS, "--unet", str(file))
        require(np.array_equal(made.pixels, expected), "it is not the command line's image")
        require(distance(made.pixels, base(context).pixels) > 1, "the file has no effect")
        require(f"Kandinsky unet: {file.name} [" in made.infotexts[0], made.infotexts[0])
        said = context.host.refused("/sdapi/v1/txt2img", request(context, unet=NOWHERE))
        require(NOWHERE in said and file.name in said, said)
    require_base_again(context)
    return "equal to the command line's; a name that is not there is refused with those that are"


def require_base_again(context: Context) -> None:
    again = context.host.generate(request(context))
    require(np.array_equal(again.pixels, base(context).pixels), "the next image is another")


class _Background:
    """A request that goes on while others are made."""

    def __init__(self, context: Context, **values: Any) -> None:
        self._context = context
        self._body = request(context, **values)
        self.made: Made | None = None
        self.error: Exception | None = None
        self._step_seconds = 0.0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.made = self._context.host.generate(self._body)
        except Exception as error:  # told where the result is asked for
            self.error = error

    def progress(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._context.host.get("/sdapi/v1/progress")
        return answer

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def seconds_for(self, steps: int) -> float:
        """How long so many steps take, by those seen so far."""
        return steps * self._step_seconds

    def wait_for_steps(self, steps: int = 20, timeout: float = 300) -> None:
        began = time.monotonic()
        end = began + timeout
        while self.progress()["state"]["sampling_step"] < steps:
            require(time.monotonic() < end, f"no {steps} steps within {timeout:.0f} s")
            require(self._thread.is_alive(), f"it ended: {self.error}")
            time.sleep(0.05)
        self._step_seconds = (time.monotonic() - began) / steps

    def result(self, timeout: float) -> Made:
        self._thread.join(timeout)
        require(not self._thread.is_alive(), f"still at work {timeout:.0f} s later")
        if self.made is None:
            fail(str(self.error))
        return self.made


@checks.add
def progress_and_preview(context: Context) -> str:
    """While it generates, progress grows and there is a preview."""
    context.host.post(
        "/sdapi/v1/options", {"live_previews_enable": True, "show_progress_every_n_steps": 1}
    )
    job = _Background(context, steps=400)
    seen, previews = [], 0
    try:
        job.wait_for_steps(1)
        for _ in range(200):
            answer = job.progress()
            seen.append(answer["progress"])
            previews += answer["current_image"] is not None
            if previews and len(set(seen)) > 4:
                break
            time.sleep(0.1)
    finally:
        context.host.post("/sdapi/v1/interrupt")
        job.result(60)
    require(len(set(seen)) > 4, f"progress said {seen}")
    require(seen == sorted(seen) and seen[-1] <= 1, f"progress went back: {seen}")
    require(previews > 0, "no preview")
    return f"{seen[0]:.3f} to {seen[-1]:.3f}, {previews} previews"


@checks.add
def progress_never_goes_back(context: Context) -> str:
    """Two batches with hires. fix, whose passes have other numbers of steps."""
    job = _Background(
        context,
        n_iter=2,
        steps=60,
        enable_hr=True,
        hr_scale=2,
        hr_upscaler="None",
        hr_second_pass_steps=20,
        denoising_strength=0.6,
        hr_cfg=2,
        hr_additional_modules=["Use same choices"],
    )
    seen = []
    while job.running:
        seen.append(job.progress()["progress"])
        time.sleep(0.02)
    job.result(60)
    # The host says 0 before it has begun, and after it has ended.
    seen = [value for value in seen if value > 0]
    back = [(a, b) for a, b in itertools.pairwise(seen) if b < a]
    require(len(set(seen)) > 10, f"progress said {seen}")
    require(not back, f"progress went back: {back}")
    return f"{len(seen)} answers, {seen[0]:.3f} to {seen[-1]:.3f}"


@checks.add
def interrupt(context: Context) -> str:
    """An interrupted run ends at once with what there is; the next is whole again."""
    job = _Background(context, steps=900)
    job.wait_for_steps()
    began = time.monotonic()
    context.host.post("/sdapi/v1/interrupt")
    made = job.result(60)
    took = time.monotonic() - began
    # The steps that are left would take much longer, however busy the machine is.
    require(took < 0.2 * job.seconds_for(900), f"it took {took:.1f} s to stop")
    context.keep("interrupted", made.pixels)
    require_base_again(context)
    return f"{took:.2f} s"


@checks.add
def skip(context: Context) -> str:
    """A skipped image ends; the next of the run is generated whole."""
    whole = context.host.generate(request(context, seed=2, steps=60))
    job = _Background(context, steps=60, n_iter=2)
    job.wait_for_steps(5)
    context.host.post("/sdapi/v1/skip")
    made = job.result(300)
    require(np.array_equal(made.images[-1], whole.pixels), "the second image is not whole")
    first = context.host.generate(request(context, steps=60))
    require(
        not any(np.array_equal(image, first.pixels) for image in made.images), "nothing was skipped"
    )
    return f"{len(made.images)} images"


@checks.add
def bad_input_is_named(context: Context) -> str:
    """A value out of its range, and a model that is not there, are refused by name."""
    said = context.host.refused("/sdapi/v1/txt2img", request(context, prior_steps=5000))
    require("Prior inference steps" in said, said)
    said = context.host.refused("/sdapi/v1/txt2img", request(context, model=NOWHERE))
    require(NOWHERE in said, said)
    require_base_again(context)
    return "a number, a model; the next run is whole"


@checks.add
def failed_run_leaves_the_host_as_it_was(context: Context) -> str:
    """Kandinsky under another script fails: the request does, too, and everything is put back."""
    before = context.host.get("/kandinsky-probe/state")
    body = request(context, script=False, alwayson_scripts=other_script(model=NOWHERE))
    said = context.host.refused("/sdapi/v1/txt2img", body)
    require(NOWHERE in said, said)
    same(context.host.get("/kandinsky-probe/state"), before, "the host's state")
    return "state equal"


@checks.add
def without_kandinsky_the_host_speaks_for_itself(context: Context) -> str:
    """A run of the host's own model, which is not there, fails in the host's words."""
    said = context.host.refused("/sdapi/v1/txt2img", request(context, script=False))
    require("andinsky" not in said, said)
    # One host forgets its stand-in for a model then.
    context.state["model"] = context.host.get("/kandinsky-probe/state")["model"]
    require_base_again(context)
    return said[:120]


@checks.add
def settings_of_the_extension(context: Context) -> str:
    """The extension's setting can be set; some hosts do not tell those of extensions."""
    context.host.post("/sdapi/v1/options", {"kandinsky_max_memory": 3})
    try:
        kept = context.host.get("/kandinsky-probe/state")["options"]
        same(kept["kandinsky_max_memory"], "3", "the setting")
    finally:
        context.host.post("/sdapi/v1/options", {"kandinsky_max_memory": 0})
    return "set"


@checks.add
def torch_still_raises(context: Context) -> str:
    """With the engine in the process, an allocation that fails is an error, not the host's end."""
    base(context)
    said = context.host.get("/kandinsky-probe/too-much")
    require("allocate" in said, f"torch says {said!r} to 25 TB")
    return str(said.splitlines()[0])


@checks.add
def memory_after_unloading(context: Context) -> str:
    """Unloading gives back what a run has taken, to within 60 MB."""
    # What the first run adds for good is not meant.
    base(context)
    context.host.post("/kandinsky/v1/unload")
    seen = [context.host.get("/kandinsky-probe/memory")]
    context.host.generate(request(context, width=512, height=512))
    seen.append(context.host.get("/kandinsky-probe/memory"))
    context.host.post("/kandinsky/v1/unload")
    seen.append(context.host.get("/kandinsky-probe/memory"))
    before, used, after = (one["resident"] for one in seen)
    said = ", ".join(f"{value / 1e6:.0f} MB" for value in (before, used, after))
    require(after - before < 60e6, f"before, with the model, after: {said}")
    require(used - after > 60e6, f"nothing was given back: {said}")
    first, files = (
        (seen[-1][part] - context.state["memory"][part]) / 1e6 for part in ("resident", "files")
    )
    return (
        f"before, with the model, after: {said}; since the start {first:.0f} MB more, {files:.0f} "
        "of them of files"
    )
