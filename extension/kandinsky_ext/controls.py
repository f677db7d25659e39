"""The table of controls: one row is one widget, one argument of the web API, one key in an image's
metadata.

The order of the rows is the order of the API's `script_args`: add rows at the end only. A default,
minimum or maximum is copied into each user's ui-config.json at the first start and stays there, so
it can only be changed together with the label.

Each text that the page shows is translated by it: localizations/ has a line for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from kandinsky_ext.errors import UserError
from kandinsky_ext.rows import Choice, Control, Group, Image, Numbers, Slider, Switch

TITLE = "Kandinsky"
ALWAYS_ON_TITLE = "Kandinsky for other scripts"
AUTOMATIC_MODEL = "Automatic"
"""The first model found.

A word and not a folder's name, so that it is a valid default on every machine.
"""
HOST_CHOICE = "Use the host's"
"""A default of our own: the host has a field for it, too."""
OWN = {"": "The model's own"}
EXACT = "exact"
"""The preset that changes nothing."""
AUTOMATIC_MIX = "Automatic"
PROMPT_AND_IMAGE = "Prompt + image"
IMAGE_AND_IMAGE = "Image + image"


PRESET = Group(panel="main", sorted=False)
MODEL = Group(panel="main")
PRIOR = Group(panel="main")
MIXING = Group(panel="mixing")
HINT = Group(
    panel="hint", heading="Depth control", about="The image follows a depth map: near is bright."
)
SAMPLING = Group(
    panel="advanced",
    heading="Sampling",
    about="Samplers, schedules and noise levels that the web UI does not offer.",
)
GUIDANCE = Group(
    panel="advanced", heading="Guidance", about="How and when the CFG scale is applied."
)
PROMPTS = Group(
    panel="advanced",
    heading="Prompts and masks",
    about="Negative prompts, long prompts, inpainting.",
)
SPEED = Group(
    panel="advanced",
    heading="Speed and memory",
    about="Approximations: the images differ slightly.",
)
COMPONENTS = Group(
    panel="advanced",
    heading="Components",
    about="Fine-tunes, such as a file in models/Kandinsky/unet.",
    in_a_row=6,
)
GROUPS = (PRESET, MODEL, PRIOR, HINT, MIXING, SAMPLING, GUIDANCE, PROMPTS, SPEED, COMPONENTS)
"""In the order in which a panel shows them."""


class Settings(SimpleNamespace):
    """What the controls say, checked: a field for each row of CONTROLS."""

    def options(self) -> dict[str, Any]:
        """The engine's options among them."""
        return {row.option: getattr(self, row.field) for row in CONTROLS if row.option}

    def fixed_steps(self) -> int:
        """The number of steps that the noise levels name; 0 where they name none."""
        return len(self.sigmas.split(",")) if self.sigmas else 0

    def but(self, **changed: Any) -> Settings:
        """The same with other values for these fields."""
        return Settings(**{**vars(self), **changed})


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
        info="Steps of the prior, which predicts an image embedding from the prompt. More than 25 "
        "change little.",
        group=PRIOR,
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
        info="How strictly the prior follows the prompt. 1: no guidance.",
        group=PRIOR,
    ),
    Choice(
        field="model",
        label="Kandinsky model",
        infotext="Kandinsky model",
        default=AUTOMATIC_MODEL,
        info="A folder in models/Kandinsky, or a model that another program has downloaded. Its "
        "prior is the folder of the same name with -prior.",
        choices=(AUTOMATIC_MODEL,),
        source="models",
        group=MODEL,
    ),
    Choice(
        field="precision",
        option="precision",
        label="Precision",
        infotext="Kandinsky precision",
        default="auto",
        info="Data type of the computation. Automatic: chosen for the device; fp16 needs a GPU.",
        choices=("auto", "fp32", "bf16", "fp16"),
        words={"auto": "Automatic"},
        group=MODEL,
    ),
    Choice(
        field="sampler",
        option="sampler",
        label="Kandinsky sampler",
        infotext="Kandinsky sampler",
        default=HOST_CHOICE,
        info="For samplers that are not in Sampling method.",
        choices=(HOST_CHOICE,),
        words={HOST_CHOICE: "Use same sampler"},
        source="samplers",
        group=SAMPLING,
    ),
    Choice(
        field="scheduler",
        option="scheduler",
        label="Kandinsky schedule type",
        infotext="Kandinsky schedule type",
        default=HOST_CHOICE,
        info="Spacing of the sampler's noise levels.",
        choices=(HOST_CHOICE,),
        words={HOST_CHOICE: "Use same scheduler"},
        source="schedulers",
        group=SAMPLING,
    ),
    Choice(
        field="negative_image",
        option="negative_image",
        label="Negative prompt affects",
        infotext="Kandinsky negative image",
        default="zero",
        info="Text only: the negative prompt does not tint the image. Text and image: the negative "
        "image embedding comes from it, too, as in diffusers.",
        choices=("zero", "prior"),
        words={"zero": "Text only", "prior": "Text and image"},
        group=PROMPTS,
    ),
    Switch(
        field="long_prompts",
        option="long_prompts",
        label="Read long prompts whole",
        infotext="Kandinsky long prompts",
        info="In chunks of 75 tokens. Off: tokens after the first 75 are cut off.",
        group=PROMPTS,
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
        info="Reduces excessive contrast at a high CFG scale. 0: off.",
        group=GUIDANCE,
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
        info="Fraction of the steps after which guidance begins.",
        group=GUIDANCE,
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
        info="Fraction of the steps after which guidance ends; the remaining steps are faster.",
        group=GUIDANCE,
    ),
    Choice(
        field="inpaint_method",
        option="mask_method",
        label="Inpaint with",
        infotext="Kandinsky inpaint",
        default="auto",
        info="The inpainting model is the folder with the model's name and -inpaint. Automatic: "
        "the inpainting model if there is one.",
        choices=("auto", "model", "blend"),
        words={"auto": "Automatic", "model": "Inpainting model", "blend": "The model itself"},
        group=PROMPTS,
    ),
    Switch(
        field="mix",
        label="Image Mixing",
        infotext="Kandinsky mix",
        info="Mixes the prompt, or an image, with another image.",
        group=MIXING,
    ),
    Image(
        field="mix_image_1",
        label="Image 1 (optional)",
        infotext="Kandinsky mix image 1",
        group=MIXING,
    ),
    Image(
        field="mix_image_2",
        label="Image 2",
        infotext="Kandinsky mix image 2",
        group=MIXING,
    ),
    Slider(
        field="mix_strength_1",
        label="Strength of the prompt or image 1",
        infotext="Kandinsky mix image 1 strength",
        default=0.5,
        minimum=-2.0,
        maximum=2.0,
        step=0.05,
        info="Below 0: the image moves away from it.",
        group=MIXING,
    ),
    Slider(
        field="mix_strength_2",
        label="Strength of image 2",
        infotext="Kandinsky mix image 2 strength",
        default=0.5,
        minimum=-2.0,
        maximum=2.0,
        step=0.05,
        info="Below 0: the image moves away from it.",
        group=MIXING,
    ),
    Choice(
        field="mix_items",
        label="What is mixed",
        infotext="Kandinsky mix of",
        default=AUTOMATIC_MIX,
        info="Automatic: image 2 with image 1, else with img2img's image, else with the prompt.",
        choices=(AUTOMATIC_MIX, PROMPT_AND_IMAGE, IMAGE_AND_IMAGE),
        group=MIXING,
    ),
    Choice(
        field="mix_method",
        label="Mixing method",
        infotext="Kandinsky mix method",
        default="sum",
        info="Spherical keeps the length of the embeddings; its strengths must be 0 or more.",
        choices=("sum", "slerp"),
        words={"sum": "Weighted sum", "slerp": "Spherical"},
        group=MIXING,
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
        info="Faster: most of the network runs only in every Nth step. 2: the image differs "
        "slightly. 1: off.",
        group=SPEED,
    ),
    Switch(
        field="int8_weights",
        option="int8_weights",
        label="8-bit prior and text encoder",
        infotext="Kandinsky int8 weights",
        info="Half the memory for these two; the image differs slightly.",
        group=SPEED,
    ),
    Switch(
        field="forecast",
        option="forecast",
        label="Forecast steps",
        infotext="Kandinsky forecast",
        info="Faster: of 20 steps 11 are computed, the others extrapolated.",
        group=SPEED,
    ),
    Slider(
        field="guidance_threshold",
        option="guidance_threshold",
        label="Guidance threshold",
        infotext="Kandinsky guidance threshold",
        default=1.0,
        minimum=0.0,
        maximum=1.0,
        step=0.005,
        info="Guidance ends once the predictions with and without the prompt are this similar; "
        "the remaining steps are faster. 1: off.",
        group=GUIDANCE,
    ),
    Choice(
        field="preset",
        option="preset",
        label="Preset",
        infotext="Kandinsky preset",
        default=EXACT,
        info="Faster settings for controls that you have not changed; most with the box beside it "
        "checked.",
        choices=(EXACT, "balanced", "fast", "draft"),
        words={EXACT: "Exact", "balanced": "Balanced", "fast": "Fast", "draft": "Draft"},
        group=PRESET,
    ),
    Switch(
        field="preset_steps",
        label="Preset also sets sampler and steps",
        infotext="Kandinsky preset steps",
        info="Recommended. Replaces Sampling method, Schedule type and Sampling steps.",
        group=PRESET,
    ),
    Image(
        field="hint",
        option="hints",
        label="Depth map",
        infotext="Kandinsky hint",
        info="From any program that makes one. Another size is stretched to the image's; in "
        "img2img, Resize mode decides.",
        group=HINT,
    ),
    Slider(
        field="hint_start",
        option="hint_start",
        label="Depth map start",
        infotext="Kandinsky hint start",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        info="Fraction of the steps after which the depth map has an effect.",
        group=HINT,
    ),
    Slider(
        field="hint_end",
        option="hint_end",
        label="Depth map end",
        infotext="Kandinsky hint end",
        default=1.0,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        info="Fraction of the steps after which the depth map has no effect.",
        group=HINT,
    ),
    Choice(
        field="unet",
        option="unet",
        label="UNet",
        infotext="Kandinsky unet",
        default="",
        info="From models/Kandinsky/unet.",
        choices=("",),
        words=OWN,
        source="unet",
        group=COMPONENTS,
    ),
    Choice(
        field="movq",
        option="movq",
        label="MoVQ",
        infotext="Kandinsky movq",
        default="",
        info="From models/Kandinsky/movq.",
        choices=("",),
        words=OWN,
        source="movq",
        group=COMPONENTS,
    ),
    Choice(
        field="text_encoder",
        option="text_encoder",
        label="Text encoder",
        infotext="Kandinsky text encoder",
        default="",
        info="From models/Kandinsky/text_encoder.",
        choices=("",),
        words=OWN,
        source="text_encoder",
        group=COMPONENTS,
    ),
    Choice(
        field="prior_model",
        option="prior_model",
        label="Prior",
        infotext="Kandinsky prior model",
        default="",
        info="From models/Kandinsky/prior.",
        choices=("",),
        words=OWN,
        source="prior",
        group=COMPONENTS,
    ),
    Choice(
        field="prior_text_encoder",
        option="prior_text_encoder",
        label="Text encoder of the prior",
        infotext="Kandinsky prior text encoder",
        default="",
        info="From models/Kandinsky/prior_text_encoder.",
        choices=("",),
        words=OWN,
        source="prior_text_encoder",
        group=COMPONENTS,
    ),
    Choice(
        field="image_encoder",
        option="image_encoder",
        label="Image encoder",
        infotext="Kandinsky image encoder",
        default="",
        info="From models/Kandinsky/image_encoder.",
        choices=("",),
        words=OWN,
        source="image_encoder",
        group=COMPONENTS,
    ),
    Numbers(
        field="sigmas",
        option="sigmas",
        label="Noise levels",
        infotext="Kandinsky sigmas",
        info="Instead of a schedule and a number of steps: decreasing numbers, one for each step, "
        "such as 14.6, 6.5, 2.7, 0.5.",
        group=SAMPLING,
    ),
)
BY_FIELD = {control.field: control for control in CONTROLS}
LABELS = {control.option: control.label for control in CONTROLS if control.option}
"""By the engine's option."""


def with_label(message: str) -> str:
    """What the engine says of an option, for people who know the control."""
    label = LABELS.get(re.split(r"\W", message, maxsplit=1)[0])
    return message if label is None else f'"{label}": {message}'


def read(values: Sequence[Any]) -> Settings:
    """Turns the values of the widgets, or of an API call's `script_args`, into settings.

    Missing values take their default, so that callers written for fewer controls keep working;
    superfluous ones are ignored. Raises UserError naming the control whose value is not allowed.
    """
    if _are_of_another_extension(values):
        raise UserError(
            "these look like the arguments of another extension for Kandinsky, which begin with an "
            f"image. Here they are, in this order: {', '.join(BY_FIELD)}"
        )
    return read_named(dict(zip((row.field for row in CONTROLS), values, strict=False)))


def _are_of_another_extension(values: Sequence[Any]) -> bool:
    """An image, steps and CFG scale of the prior, a version, two strengths, low memory."""
    image, *rest = values or (0,)
    return (image is None or isinstance(image, (str, dict))) and (
        [type(value) in (int, float) for value in rest] == [True, True, False, True, True, False]
    )


def read_named(given: Mapping[str, Any]) -> Settings:
    """Likewise from values by field."""
    return Settings(**{row.field: row.check(given.get(row.field, row.default)) for row in CONTROLS})


def read_given(given: Any) -> Settings:
    """Likewise from a program's list, in the order of CONTROLS, or its object with names.

    Raises UserError for anything else, and for a name that is no control's.
    """
    if isinstance(given, list):
        return read(given)
    if not isinstance(given, dict):
        raise UserError(
            f'"{ALWAYS_ON_TITLE}": its second argument is {given!r}: expected a list or an object '
            "with the values of the controls"
        )
    for name in given:
        if name not in BY_FIELD:
            raise UserError(f"There is no control {name!r}. There are: {', '.join(BY_FIELD)}")
    return read_named(given)
