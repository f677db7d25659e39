"""From the host's words to the engine's. Nothing else in the extension knows both."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kandinsky_ext.controls import Settings

DEFAULT_SAMPLER = "DDIM"
SEED_MASK = (1 << 64) - 1
"""A negative seed means what it means to torch.Generator.manual_seed: the same 64 bits, read as
unsigned.
"""


@dataclass(frozen=True)
class Request:
    """One batch in the engine's words. An empty negative prompt means: absent.

    noise: float32 [B, 4, latent height, latent width] or None for the noise of the seeds.
    """

    prompts: tuple[str, ...]
    negative_prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    prior_num_inference_steps: int
    prior_guidance_scale: float
    width: int
    height: int
    sampler: str
    num_inference_steps: int
    guidance_scale: float
    noise: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    def parts(self) -> list[tuple[list[int], Request]]:
        """Splits the batch into pictures with and without a negative prompt, each with its places
        in the batch.

        The engine takes negative prompts for all pictures of a batch or for none, and absent is not
        the same as empty: without this, a picture would depend on its neighbours.
        """
        given = [i for i, text in enumerate(self.negative_prompts) if text]
        absent = [i for i, text in enumerate(self.negative_prompts) if not text]
        return [(places, self._take(places)) for places in (given, absent) if places]

    def encode_arguments(self) -> dict[str, Any]:
        """For Engine.encode_prompts.

        Only for a request whose negative prompts are all given or all absent.
        """
        absent = not any(self.negative_prompts)
        return {
            "prompts": list(self.prompts),
            "negative_prompts": None if absent else list(self.negative_prompts),
            "seeds": list(self.seeds),
            "prior_num_inference_steps": self.prior_num_inference_steps,
            "prior_guidance_scale": self.prior_guidance_scale,
        }

    def denoise_arguments(self) -> dict[str, Any]:
        """For Engine.denoise."""
        return {
            "width": self.width,
            "height": self.height,
            "seeds": list(self.seeds),
            "sampler": self.sampler,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scale,
            "noise": self.noise,
        }

    def embeds_key(self) -> tuple[Any, ...]:
        """Equal for requests with equal embeddings."""
        return (
            self.prompts,
            self.negative_prompts,
            self.seeds,
            self.prior_num_inference_steps,
            self.prior_guidance_scale,
        )

    def _take(self, places: Sequence[int]) -> Request:
        if len(places) == len(self):
            return self
        values = dict(self.__dict__)
        for name in ("prompts", "negative_prompts", "seeds"):
            values[name] = tuple(values[name][i] for i in places)
        if self.noise is not None:
            values["noise"] = self.noise[list(places)]
        return Request(**values)


def make(
    p: Any,
    settings: Settings,
    *,
    prompts: Sequence[str],
    negative_prompts: Sequence[str],
    sampler: str,
    noise: npt.NDArray[np.float32] | None,
) -> Request:
    """The request for the batch that the host's processing object `p` is at."""
    return Request(
        prompts=tuple(prompts),
        negative_prompts=tuple(negative_prompts),
        seeds=tuple(int(seed) & SEED_MASK for seed in p.seeds),
        prior_num_inference_steps=settings.prior_steps,
        prior_guidance_scale=settings.prior_cfg_scale,
        width=int(p.width),
        height=int(p.height),
        sampler=sampler,
        num_inference_steps=int(p.steps),
        guidance_scale=float(p.cfg_scale),
        noise=noise,
    )


def uses_host_noise(p: Any) -> bool:
    """Whether the host's seed extras decide the noise: variation seed, or resizing from another
    size's seed.
    """
    resized = (p.seed_resize_from_w or 0) > 0 and (p.seed_resize_from_h or 0) > 0
    return bool(p.subseed_strength) or resized


def pick_sampler(host_name: str | None, offered: Sequence[str]) -> tuple[str, str | None]:
    """The engine's sampler for the host's choice, and a remark if it is another one."""
    for name in offered:
        if host_name is not None and name.lower() == host_name.lower():
            return name, None
    default = DEFAULT_SAMPLER if DEFAULT_SAMPLER in offered else offered[0]
    return default, (
        f'Sampler: Kandinsky has no "{host_name}" and used {default}. It has: {", ".join(offered)}.'
    )


def size_remark(width: int, height: int, native: int) -> str | None:
    """A remark if the picture is far from the size that the model was trained on, in pixels."""
    if native <= 0 or 0.5 <= (width * height) / (native * native) <= 2:
        return None
    return (
        f"Size: this model was trained on pictures of {native}x{native}; "
        f"at {width}x{height} expect repeated or broken shapes."
    )


def plain_text(
    text: str, parse_attention: Callable[[str], Sequence[Sequence[Any]]]
) -> tuple[str, bool]:
    """Takes the host's emphasis out of a prompt. Returns the text, and whether there was any.

    parse_attention is the host's parser: text to pairs of text and weight, a BREAK has weight -1.
    """
    pairs = parse_attention(text)
    weighted = any(weight != 1.0 for _, weight in pairs)
    joined = "".join(" " if weight == -1 else part for part, weight in pairs)
    if joined != text:
        joined = re.sub(r"\s+", " ", joined).strip()
    return joined, weighted
