"""What the checks ask for, by the web API and of the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from checking import Context, require
from host import Made
from PIL import Image

SIZE = 128
STEPS = 10
PROMPT = "a red circle on a white background"
NOWHERE = "no such model"
SMALL_STEPS = ("--steps", str(STEPS), "--sampler", "Euler a", "--prior-steps", str(STEPS))
"""What `request` asks for, in the command line's words."""


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


def of_the_api(context: Context, **values: Any) -> np.ndarray:
    """The first image of a request with these values."""
    return context.host.generate(request(context, **values)).pixels


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


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


def require_base_again(context: Context) -> None:
    again = of_the_api(context)
    require(np.array_equal(again, base(context).pixels), "the next image is another")


def upscaler(context: Context) -> str:
    """One that needs no file. A host may fetch others from the net."""
    listed = [one["name"] for one in context.host.get("/sdapi/v1/upscalers")]
    return next((name for name in ("Lanczos", "Bicubic", "Nearest") if name in listed), "None")
