"""The table of controls: one row is one widget, one argument of the web API, one key in an image's
metadata.

The order of the rows is the order of the API's `script_args`: add rows at the end only. A default,
minimum or maximum is copied into each user's ui-config.json at the first start and stays there, so
it can only be changed together with the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from kandinsky_ext.rows import Choice, Control, Image, Slider, Switch

TITLE = "Kandinsky"
ALWAYS_ON_TITLE = "Kandinsky for other scripts"
AUTOMATIC_MODEL = "Automatic"
"""The first model found.

A word and not a folder's name, so that it is a valid default on every machine.
"""
HOST_CHOICE = "Use the host's"
"""A default of our own: the host has a field for it, too."""
AUTOMATIC_MIX = "Automatic"
PROMPT_AND_IMAGE = "Prompt + image"
IMAGE_AND_IMAGE = "Image + image"


class Settings(SimpleNamespace):
    """What the controls say, checked: a field for each row of CONTROLS."""

    def options(self) -> dict[str, Any]:
        """The engine's options among them."""
        return {row.option: getattr(self, row.field) for row in CONTROLS if row.option}


CONTROLS: tuple[Control, ...] = (
    Slider(
        field="prior_steps",
        option="prior_num_inference_steps",
        label="Prior inference steps",
        infotext="Kandinsky prior steps",
        default=25,
        minimum=2,
        maximum=1000,
        step=1,
        info="Denoising steps of the prior: prompt to image embedding.",
    ),
    Slider(
        field="prior_cfg_scale",
        option="prior_guidance_scale",
        label="Prior CFG scale",
        infotext="Kandinsky prior CFG scale",
        default=4.0,
        minimum=1.0,
        maximum=20.0,
        step=0.5,
        info="Classifier-free guidance of the prior. 1: off.",
    ),
    Choice(
        field="model",
        label="Kandinsky model",
        infotext="Kandinsky model",
        default=AUTOMATIC_MODEL,
        info="Its prior is the folder <model>-prior beside it.",
        choices=(AUTOMATIC_MODEL,),
        source="models",
    ),
    Choice(
        field="precision",
        option="precision",
        label="Kandinsky precision",
        infotext="Kandinsky precision",
        default="auto",
        info="Data type to compute in. auto: what suits the device; fp16 needs a GPU.",
        choices=("auto", "fp32", "bf16", "fp16"),
    ),
    Choice(
        field="sampler",
        option="sampler",
        label="Kandinsky sampler",
        infotext="Kandinsky sampler",
        default=HOST_CHOICE,
        info="For samplers that the host's own list lacks.",
        choices=(HOST_CHOICE,),
        source="samplers",
        panel="advanced",
    ),
    Choice(
        field="scheduler",
        option="scheduler",
        label="Kandinsky schedule type",
        infotext="Kandinsky schedule type",
        default=HOST_CHOICE,
        info="Spacing of the sampler's noise levels.",
        choices=(HOST_CHOICE,),
        source="schedulers",
        panel="advanced",
    ),
    Choice(
        field="negative_image",
        option="negative_image",
        label="Negative prompt on the image side",
        infotext="Kandinsky negative image",
        default="zero",
        info="zero: guides the text only, colours stay. prior: the image embedding, too.",
        choices=("zero", "prior"),
        panel="advanced",
    ),
    Switch(
        field="long_prompts",
        option="long_prompts",
        label="Read long prompts whole",
        infotext="Kandinsky long prompts",
        info="In chunks of 75 tokens; off: tokens after the first 75 are cut off.",
        panel="advanced",
    ),
    Slider(
        field="guidance_rescale",
        option="guidance_rescale",
        label="Guidance rescale",
        infotext="Kandinsky guidance rescale",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        info="Against too much contrast at a high CFG scale. 0: off.",
        panel="advanced",
    ),
    Slider(
        field="guidance_start",
        option="guidance_start",
        label="Guidance start",
        infotext="Kandinsky guidance start",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        info="Fraction of the steps after which CFG starts.",
        panel="advanced",
    ),
    Slider(
        field="guidance_end",
        option="guidance_end",
        label="Guidance end",
        infotext="Kandinsky guidance end",
        default=1.0,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        info="Fraction of the steps after which CFG ends.",
        panel="advanced",
    ),
    Choice(
        field="inpaint_method",
        option="mask_method",
        label="Inpainting method",
        infotext="Kandinsky inpaint",
        default="auto",
        info="model: <model>-inpaint. blend: the model itself. auto: model if it is there.",
        choices=("auto", "model", "blend"),
        panel="advanced",
    ),
    Switch(
        field="mix",
        label="Image Mixing",
        infotext="Kandinsky mix",
        panel="mixing",
    ),
    Image(
        field="mix_image_1",
        label="Image 1 (optional)",
        infotext="Kandinsky mix image 1",
        panel="mixing",
    ),
    Image(
        field="mix_image_2",
        label="Extra image (image 2)",
        infotext="Kandinsky mix image 2",
        panel="mixing",
    ),
    Slider(
        field="mix_strength_1",
        label="Interpolate Image 1 strength",
        infotext="Kandinsky mix image 1 strength",
        default=0.5,
        minimum=-2.0,
        maximum=2.0,
        step=0.05,
        info="Weight of image 1, or of the prompt if it is mixed instead.",
        panel="mixing",
    ),
    Slider(
        field="mix_strength_2",
        label="Interpolate Image 2 strength",
        infotext="Kandinsky mix image 2 strength",
        default=0.5,
        minimum=-2.0,
        maximum=2.0,
        step=0.05,
        info="Weight of the extra image.",
        panel="mixing",
    ),
    Choice(
        field="mix_items",
        label="What is mixed",
        infotext="Kandinsky mix of",
        default=AUTOMATIC_MIX,
        info="Automatic: image 2 with image 1, else with img2img's image, else with the prompt.",
        choices=(AUTOMATIC_MIX, PROMPT_AND_IMAGE, IMAGE_AND_IMAGE),
        panel="mixing",
    ),
    Choice(
        field="mix_method",
        label="Mixing method",
        infotext="Kandinsky mix method",
        default="sum",
        info="sum: weighted sum. slerp: spherical interpolation, strengths from 0.",
        choices=("sum", "slerp"),
        panel="mixing",
    ),
    Slider(
        field="cache_interval",
        option="cache_interval",
        label="Feature cache interval",
        infotext="Kandinsky cache interval",
        default=1,
        minimum=1,
        maximum=10,
        step=1,
        info="Approximation, faster: the UNet's inner levels run in every Nth step only. 1: off.",
        panel="advanced",
    ),
    Switch(
        field="int8_weights",
        option="int8_weights",
        label="8-bit prior and text encoder",
        infotext="Kandinsky int8 weights",
        info="Approximation: half the memory for these, slightly other images.",
        panel="advanced",
    ),
    Switch(
        field="forecast",
        option="forecast",
        label="Forecast steps",
        infotext="Kandinsky forecast",
        info="Approximation, faster: of 20 steps 11 are computed, the others extrapolated.",
        panel="advanced",
    ),
)


def read(values: Sequence[Any]) -> Settings:
    """Turns the values of the widgets, or of an API call's `script_args`, into settings.

    Missing values take their default, so that callers written for fewer controls keep working;
    superfluous ones are ignored. Raises UserError naming the control whose value is not allowed.
    """
    return read_named(dict(zip((row.field for row in CONTROLS), values, strict=False)))


def read_named(given: Mapping[str, Any]) -> Settings:
    """Likewise from values by field."""
    return Settings(**{row.field: row.check(given.get(row.field, row.default)) for row in CONTROLS})
