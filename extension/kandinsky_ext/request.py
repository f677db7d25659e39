"""From the host's words to the engine's. Nothing else in the extension knows both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kandinsky_ext.conditions import Guide, Phrase, Steps, negative_guide, positive_guide
from kandinsky_ext.controls import Settings
from kandinsky_ext.errors import UserError
from kandinsky_ext.mixing import Mix

SEED_MASK = (1 << 64) - 1
"""A negative seed means what it means to torch.Generator.manual_seed: the same 64 bits, read as
unsigned.
"""
MOST_STEPS = 999
"""What every sampler can take."""
LEAST = (
    ("steps", "Steps", 1),
    ("n_iter", "Batch count", 1),
    ("batch_size", "Batch size", 1),
    ("width", "Width", 8),
    ("height", "Height", 8),
)
"""Fields of a processing object, their names in the page, and their smallest value. The host's
noise has one number for 8 pixels.
"""
PARTS = (
    ("denoising_strength", "Denoising strength"),
    ("subseed_strength", "Variation strength"),
)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """What a run that does not start from noise starts from.

    latents: [B, 4, latent height, latent width]. mask: [B, 1, latent height, latent width], 1 is
    inpainted, or None for everything.
    """

    latents: Floats
    mask: Floats | None
    steps: Steps

    def kept_around(self, made: Floats) -> Floats:
        """These latents where the mask says so, and its own around them."""
        if self.mask is None:
            return made
        return self.mask * made + (1 - self.mask) * self.latents

    def strength(self) -> float:
        """The part of the schedule that makes the engine run just so many steps.

        It rounds total * strength down, so aim at the middle between two numbers of steps.
        """
        if self.steps.running >= self.steps.total:
            return 1.0
        return (self.steps.running + 0.5) / self.steps.total

    def options(self) -> dict[str, Any]:
        """For the engine."""
        return {"init_latents": self.latents, "strength": self.strength(), "mask": self.mask}


@dataclass(frozen=True)
class Request:
    """One batch in the engine's words.

    positives, negatives: the phrases of each image; an empty negative prompt means: absent.
    options: the engine's, but for texts, embeds, seeds and conditions.
    """

    positives: tuple[tuple[Phrase, ...], ...]
    negatives: tuple[tuple[Phrase, ...], ...]
    seeds: tuple[int, ...]
    steps: Steps
    options: dict[str, Any]
    mix: Mix | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    def positive_guide(self) -> Guide:
        return positive_guide(self.positives, self.negatives, self.seeds)

    def negative_guide(self) -> Guide | None:
        """None without guidance, which alone uses that side."""
        if self.options["guidance_scale"] <= 1:
            return None
        return negative_guide(self.positives, self.negatives, self.seeds)


def make(
    p: Any,
    settings: Settings,
    *,
    positives: Sequence[Sequence[Phrase]],
    negatives: Sequence[Sequence[Phrase]],
    steps: Steps,
    start: Start | None = None,
    mix: Mix | None = None,
    **options: Any,
) -> Request:
    """The request for the batch that the host's processing object `p` is at.

    options: those of the engine that the host's own fields say, or that follow from them.
    """
    asked = {
        **settings.options(),
        "num_inference_steps": steps.total,
        "guidance_scale": guidance_scale(p),
        **options,
        **({} if start is None else start.options()),
    }
    if asked.get("mask") is None:
        # The engine would insist on an inpainting model.
        del asked["mask_method"]
    return Request(
        positives=tuple(tuple(part) for part in positives),
        negatives=tuple(tuple(part) for part in negatives),
        seeds=tuple(int(seed) & SEED_MASK for seed in p.seeds),
        steps=steps,
        options=asked,
        mix=mix,
    )


def check_fields(p: Any) -> None:
    """Raises UserError for what only a program sends and the host does not check."""
    for field, label, least in LEAST:
        value = getattr(p, field)
        if not value >= least:
            raise UserError(f"{label}: {value}, expected {least} or more.")
    for field, label in PARTS:
        value = getattr(p, field, None)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"{label}: {value}, expected 0 to 1.")
    if hasattr(p, "init_images"):
        if not p.init_images or any(image is None for image in p.init_images):
            raise UserError("img2img: there is no image (init_images), expected at least one.")
        for place, image in enumerate(p.init_images, 1):
            _check_image(f"Image {place} of img2img (init_images)", image)
        if getattr(p, "image_mask", None) is not None:
            _check_image("Mask of img2img", p.image_mask)


def _check_image(label: str, image: Any) -> None:
    """Reads it to its end; a host that was given a file only looked at its beginning."""
    try:
        image.load()
    except Exception as error:  # Pillow raises many kinds
        raise UserError(f"{label} cannot be read: {error}") from error


def start_steps(planned: int, total: int, running: int, fixed: int = 0) -> Steps:
    """The steps of a run from an image, of which the host wants `running` of `total`.

    A small denoising strength with a fixed number of steps makes schedules longer than a model
    has steps. What is left out then is every so many steps, not the beginning. fixed: how many the
    schedule has, whatever the host wants, or 0.
    """
    running = min(running, total)
    allowed = fixed or min(total, MOST_STEPS)
    if total != allowed:
        kept = max(1, running * allowed // total)
        planned = max(1, planned * kept // running)
        total, running = allowed, kept
    return Steps(planned, total, running)


def inpaint_method(chosen: str, *, has_model: bool) -> str:
    """What generates under a mask, "model" or "blend", where "auto" leaves it to what there is."""
    return ("model" if has_model else "blend") if chosen == "auto" else chosen


def uses_host_noise(p: Any) -> bool:
    """Whether the host decides the noise: variation seed, resizing from another size's seed, or a
    noise multiplier.
    """
    resized = (p.seed_resize_from_w or 0) > 0 and (p.seed_resize_from_h or 0) > 0
    return bool(p.subseed_strength) or resized or noise_multiplier(p) != 1


def noise_multiplier(p: Any) -> float:
    """By how much the host scales the noise of image to image."""
    multiplier = getattr(p, "initial_noise_multiplier", None)
    return 1.0 if multiplier is None else float(multiplier)


def guidance_scale(p: Any) -> float:
    """Of the pass that p is at. Some hosts give the hires pass its own: 0 stands for the first
    pass's, less for none.
    """
    of_hires = getattr(p, "hr_cfg", None) if getattr(p, "is_hr_pass", False) else None
    if not of_hires:
        return float(p.cfg_scale)
    return float(of_hires) if of_hires > 0 else 1.0


def size_remark(width: int, height: int, native: int) -> str | None:
    """A remark if the image is far from the size that the model was trained on, in pixels."""
    if native <= 0 or 0.5 <= (width * height) / (native * native) <= 2:
        return None
    return (
        f"Size: this model was trained on images of {native}x{native}; "
        f"at {width}x{height} shapes may be repeated or broken."
    )


def plain_text(text: str, parse_attention: Callable[[str], Sequence[Sequence[Any]]]) -> str:
    """Takes the host's emphasis out of a prompt.

    parse_attention is the host's parser: text to pairs of text and weight, a BREAK has weight -1.
    """
    pairs = parse_attention(text)
    joined = "".join(" " if weight == -1 else part for part, weight in pairs)
    if joined != text:
        joined = re.sub(r"\s+", " ", joined).strip()
    return joined
