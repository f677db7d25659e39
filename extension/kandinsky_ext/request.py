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

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """What a run that does not start from noise starts from.

    latents: [B, 4, latent height, latent width]. mask: [B, 1, latent height, latent width], 1 is
    repainted, or None for everything.
    """

    latents: Floats
    mask: Floats | None
    steps: Steps

    def kept_around(self, painted: Floats) -> Floats:
        """The painted latents where the mask says so, and these around it."""
        if self.mask is None:
            return painted
        return self.mask * painted + (1 - self.mask) * self.latents

    def strength(self) -> float:
        """The part of the schedule that makes the engine run just so many steps.

        It rounds total * strength down, so aim at the middle between two numbers of steps.
        """
        if self.steps.running >= self.steps.total:
            return 1.0
        return (self.steps.running + 0.5) / self.steps.total


@dataclass(frozen=True)
class Request:
    """One batch in the engine's words.

    positives, negatives: the phrases of each picture; an empty negative prompt means: absent.
    noise: float32 [B, 4, latent height, latent width] or None for the noise of the seeds.
    """

    positives: tuple[tuple[Phrase, ...], ...]
    negatives: tuple[tuple[Phrase, ...], ...]
    seeds: tuple[int, ...]
    prior_num_inference_steps: int
    prior_guidance_scale: float
    negative_image: str
    parse_weights: bool
    long_prompts: bool
    width: int
    height: int
    sampler: str
    scheduler: str
    steps: Steps
    guidance_scale: float
    guidance_rescale: float
    guidance_start: float
    guidance_end: float
    tiling: bool
    cache_interval: int
    mask_method: str
    noise: Floats | None = None
    start: Start | None = None
    mix: Mix | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    def positive_guide(self) -> Guide:
        return positive_guide(self.positives, self.negatives, self.seeds)

    def negative_guide(self) -> Guide:
        return negative_guide(self.positives, self.negatives, self.seeds)

    def prompt_options(self) -> dict[str, Any]:
        """For Engine.encode_prompts, beside the texts and their seeds."""
        return {
            "prior_num_inference_steps": self.prior_num_inference_steps,
            "prior_guidance_scale": self.prior_guidance_scale,
            "negative_image": self.negative_image,
            "parse_weights": self.parse_weights,
            "long_prompts": self.long_prompts,
        }

    def denoise_options(self) -> dict[str, Any]:
        """For Engine.denoise, beside the embeds and their conditions."""
        options: dict[str, Any] = {
            "width": self.width,
            "height": self.height,
            "seeds": list(self.seeds),
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "num_inference_steps": self.steps.total,
            "guidance_scale": self.guidance_scale,
            "guidance_rescale": self.guidance_rescale,
            "guidance_start": self.guidance_start,
            "guidance_end": self.guidance_end,
            "tiling": self.tiling,
            "cache_interval": self.cache_interval,
            "noise": self.noise,
        }
        if self.start is not None:
            options["init_latents"] = self.start.latents
            options["strength"] = self.start.strength()
            if self.start.mask is not None:
                options["mask"] = self.start.mask
                options["mask_method"] = self.mask_method
        return options


def make(
    p: Any,
    settings: Settings,
    *,
    positives: Sequence[Sequence[Phrase]],
    negatives: Sequence[Sequence[Phrase]],
    width: int,
    height: int,
    sampler: str,
    scheduler: str,
    steps: Steps,
    tiling: bool = False,
    parse_weights: bool = True,
    noise: Floats | None = None,
    start: Start | None = None,
    mix: Mix | None = None,
) -> Request:
    """The request for the batch that the host's processing object `p` is at."""
    return Request(
        positives=tuple(tuple(part) for part in positives),
        negatives=tuple(tuple(part) for part in negatives),
        seeds=tuple(int(seed) & SEED_MASK for seed in p.seeds),
        prior_num_inference_steps=settings.prior_steps,
        prior_guidance_scale=settings.prior_cfg_scale,
        negative_image=settings.negative_image,
        parse_weights=parse_weights,
        long_prompts=settings.long_prompts,
        width=width,
        height=height,
        sampler=sampler,
        scheduler=scheduler,
        steps=steps,
        guidance_scale=guidance_scale(p),
        guidance_rescale=settings.guidance_rescale,
        guidance_start=settings.guidance_start,
        guidance_end=settings.guidance_end,
        tiling=tiling,
        cache_interval=settings.cache_interval,
        mask_method=settings.inpaint_method,
        noise=noise,
        start=start,
        mix=mix,
    )


def check_counts(p: Any) -> None:
    """Raises UserError for numbers that only a program sends and that the host does not check."""
    for field, label in (
        ("steps", "Steps"),
        ("n_iter", "Batch count"),
        ("batch_size", "Batch size"),
    ):
        value = getattr(p, field)
        if value < 1:
            raise UserError(f"{label}: {value}, expected 1 or more.")


def start_steps(planned: int, total: int, running: int) -> Steps:
    """The steps of a run from a picture, of which the host wants `running` of `total`.

    A small denoising strength with a fixed number of steps makes schedules longer than a model
    has steps. What is left out then is every so many steps, not the beginning.
    """
    running = min(running, total)
    if total > MOST_STEPS:
        kept = max(1, running * MOST_STEPS // total)
        planned = max(1, planned * kept // running)
        total, running = MOST_STEPS, kept
    return Steps(planned, total, running)


def inpaint_method(chosen: str, *, has_model: bool) -> str:
    """What paints under a mask, "model" or "blend", where "auto" leaves it to what there is."""
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
    """A remark if the picture is far from the size that the model was trained on, in pixels."""
    if native <= 0 or 0.5 <= (width * height) / (native * native) <= 2:
        return None
    return (
        f"Size: this model was trained on pictures of {native}x{native}; "
        f"at {width}x{height} expect repeated or broken shapes."
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
