"""The keywords of Engine's methods: what they mean, their ranges and defaults.

Each keyword is written here once. The defaults are the engine's own; what is not given is not set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, SupportsFloat, SupportsIndex, TypeAlias, TypedDict

from kandinsky_engine import _arguments, _arrays
from kandinsky_engine._load import core
from kandinsky_engine.errors import InvalidArgumentError

Picture: TypeAlias = _arrays.AnyArray
"""uint8 [H, W] or [H, W, 1]: grey; [H, W, 3]: RGB; [H, W, 4]: RGBA, whose transparent places become
white. A numpy array of any strides, a torch tensor on the CPU, or an image of Pillow as it is, not
turned by its EXIF. Other numbers than uint8 are refused: what they mean is not guessed at."""


@dataclass(frozen=True)
class Condition:
    """A row of embeds that guides one picture during some steps.

    Rows of one picture and step add up by their weights (composable diffusion, the "AND" of hosts);
    prompt editing is a row after another.
    """

    row: int
    """Of the embeds, which may have up to 1024 rows."""
    picture: int
    """0 to B - 1."""
    first_step: int
    """1 to last_step."""
    last_step: int
    """Up to num_inference_steps; counted over the whole schedule, also where image to image leaves
    out its beginning."""
    weight: float = 1.0
    """-100 to 100; 1 in a negative condition."""


def _conditions(name: str, values: Iterable[Condition] | None) -> list[core.Condition]:
    if values is None:
        return []
    found = []
    for i, value in enumerate(_arguments.several(name, values, "condition")):
        item = f"{name}[{i}]"
        if not isinstance(value, Condition):
            raise InvalidArgumentError(f"{item}: a Condition is needed, got {type(value).__name__}")
        found.append(
            core.Condition(
                row=_arguments.integer(f"{item}.row", value.row),
                picture=_arguments.integer(f"{item}.picture", value.picture),
                first_step=_arguments.integer(f"{item}.first_step", value.first_step),
                last_step=_arguments.integer(f"{item}.last_step", value.last_step),
                weight=_arguments.number(f"{item}.weight", value.weight),
            )
        )
    return found


# A keyword's type, and the function of its name and value that checks it for `_core`.
_Text = Annotated[str, _arguments.text]
_OptionalTexts = Annotated[Iterable[str] | None, _arguments.optional_texts]
_Integer = Annotated[SupportsIndex, _arguments.integer]
_Number = Annotated[SupportsFloat, _arguments.number]
_Switch = Annotated[bool, _arguments.switch]
_OptionalSeeds = Annotated[Iterable[SupportsIndex] | None, _arguments.optional_seeds]
_Latents = Annotated[_arrays.AnyArray | None, _arrays.optional_floats]
_Conditions = Annotated[Iterable[Condition] | None, _conditions]
_Masks = Annotated[Iterable[Picture] | None, _arrays.masks]


class PromptOptions(TypedDict, total=False):
    """How texts become embeds."""

    negative_prior_prompts: _OptionalTexts
    """What the prior steers away from, one text per picture, where it is not the negative prompt.
    Default: the negative prompts."""
    prior_num_inference_steps: _Integer
    """2 to 1000, default 25."""
    prior_guidance_scale: _Number
    """0 to 100, default 4; 1 and less is off."""
    negative_image: _Text
    """The image side of the negative embeds. "zero" (default): the embedding of an empty picture,
    which has no colour; "prior": the prior's result for the negative prompt, even if that is "",
    and the empty picture without one, as diffusers does."""
    parse_weights: _Switch
    """Default True: (word), (word:1.3), [word] and BREAK mean what they do in hosts; False: they
    are plain text."""
    long_prompts: _Switch
    """True: prompts are read in chunks of 75 tokens; False (default): what comes after the first 75
    is left out."""


class SamplingOptions(TypedDict, total=False):
    """How embeds and noise become latents."""

    sampler: _Text
    """One of samplers(), in any case. Default "DDIM"."""
    scheduler: _Text
    """How the sampler's steps are spaced, one of schedulers(), in any case. Default "Automatic"."""
    num_inference_steps: _Integer
    """1 to 1000 (DDIM: 999), default 50."""
    guidance_scale: _Number
    """0 to 100, default 4; 1 and less is off."""
    guidance_rescale: _Number
    """0 (default, off) to 1: pulls strong guidance back to the contrast of the unguided prediction.
    Source: diffusers, rescale_noise_cfg."""
    guidance_start: _Number
    """Part of the steps, 0 (default) to 1, before which there is no guidance."""
    guidance_end: _Number
    """Part of the steps, 0 to 1 (default), after which there is none."""
    tiling: _Switch
    """True: opposite borders of the picture fit; width and height must then be multiples of
    info.size_multiple. Default False."""
    noise: _Latents
    """Unit normal noise to start from instead of the seeds' own, float32 [B, 4, h, w]."""
    variation_seeds: _OptionalSeeds
    """One per picture: whose noise to mix in."""
    variation_strength: _Number
    """0 (default) to 1: how far from the seeds' noise to the variation seeds'."""
    seed_resize_width: _Integer
    """Draws the noise of a picture of this size and centres it, so that a seed keeps its
    composition. Default 0: off."""
    seed_resize_height: _Integer
    """Likewise."""
    strength: _Number
    """Of image to image, 0 to 1, default 0.75: the part of the schedule that runs on the picture; 0
    gives it back, 1 is free of it."""
    init_noise: _Text
    """Of image to image. "matched" (default): noise of the first step that runs; "reference": as
    diffusers, which is noisier; DDIM and DDPM only."""
    mask_method: _Text
    """Of inpainting. "auto" (default): "model" if the engine has an inpainting model, else "blend";
    "model": that model; "blend": the model itself, whose result is put back outside the mask at
    each step."""
    conditions: _Conditions
    """Prompts that change or combine. Default: row i guides picture i."""
    negative_conditions: _Conditions
    """Likewise for the negative embeds."""
    cache_interval: _Integer
    """1 (default, off) to 100: how many evaluations of a picture one run of the UNet's inner levels
    serves. An approximation: 2 takes about three fifths of the time. Source: DeepCache (CVPR
    2024)."""


class DenoiseOptions(SamplingOptions, total=False):
    """SamplingOptions, and latents to start from."""

    init_latents: _Latents
    """Latents to start from, float32 [B, 4, h, w]. Default: text to image."""
    mask: _Latents
    """Where to repaint them, float32 [B, 1, h, w]: 1 repaint, 0 keep. Needs init_latents."""


class SourceOptions(TypedDict, total=False):
    """How pictures to start from are prepared."""

    masks: _Masks
    """None (default), 1 for all, or B: white is repainted, black is kept. Each as large as its
    picture, with which it is brought to the painted size. Like pictures, or bool, where True is
    white; uint8 of 0 and 1 alone is refused."""
    resize: _Text
    """To the painted size. "stretch" (default); "crop": cut off what overlaps; "fill": add what is
    missing by repeating the border."""
    mask_blur: _Integer
    """0 to 64 pixels, default 4: softness of the mask's border, as a standard deviation."""
    invert_mask: _Switch
    """True: black is repainted. Default False."""
    mask_fill: _Text
    """What the masked part holds at first: "original" (default), "fill" (colours from around),
    "latent noise", "latent nothing"."""
    erode_mask: _Switch
    """True (default): the latents that are kept are those whose neighbours are kept too, by the
    reference's rule; False: all of them."""
    composite: _Switch
    """True (default): outside the mask the picture's own pixels, bit for bit; False: as the model
    painted them."""


class TextToImageOptions(PromptOptions, SamplingOptions, total=False):
    """The keywords of Engine.text_to_image()."""


class ImageToImageOptions(PromptOptions, SourceOptions, SamplingOptions, total=False):
    """The keywords of Engine.image_to_image()."""


class PaintOptions(SourceOptions, SamplingOptions, total=False):
    """The keywords of Engine.paint()."""
