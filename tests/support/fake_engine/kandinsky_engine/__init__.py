"""The engine's Python interface without an engine: fast, plain pictures that depend on all that
should matter.

Every call is recorded in Engine.calls. Latents hold a picture directly: channels 0..2 are its
colours / 255, one number for 8 x 8 pixels, channel 3 is noise.
"""

from __future__ import annotations

import enum
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

__version__ = "0.0.0"


class KandinskyError(Exception):
    pass


class InvalidArgumentError(KandinskyError, ValueError):
    pass


class NotFoundError(KandinskyError, FileNotFoundError):
    pass


class CancelledError(KandinskyError):
    pass


class Action(enum.Enum):
    CONTINUE = 0
    FINISH = 1
    CANCEL = 2


@dataclass
class Progress:
    stage: str
    step: int
    steps: int
    latents: np.ndarray | None = None


@dataclass
class Info:
    family: str = "kandinsky-2-1"
    device: str = "cpu"
    precision: str = "fp32"
    reason: str = "a fake"
    prior_dir: str = ""
    native_size: int = 128
    latent_channels: int = 4
    latent_factor: int = 8
    size_multiple: int = 64


@dataclass
class Embeds:
    colours: np.ndarray
    """[B, 3], 0..255."""

    batch_size: int


SAMPLERS = ["DDIM"]


def samplers() -> list[str]:
    return list(SAMPLERS)


def _digest(*values: object) -> np.ndarray:
    return np.frombuffer(hashlib.sha256(repr(values).encode()).digest(), dtype=np.uint8)


class Engine:
    calls: ClassVar[list[tuple[str, dict]]] = []

    def __init__(self, model_dir, prior_dir=None, device="auto", precision="auto"):
        if not (Path(model_dir) / "model_index.json").is_file():
            raise NotFoundError(f"{model_dir}: no model_index.json")
        if (Path(model_dir) / "broken").exists():
            raise NotFoundError(f"{model_dir}: the component unet is missing")
        if device == "cpu" and precision == "fp16":
            raise InvalidArgumentError("precision fp16 is not possible on a CPU")
        self.model_dir = str(model_dir)
        self.info = Info(device=device, precision="fp32" if precision == "auto" else precision)
        self.on_progress = None
        self.on_message = None
        self.closed = False
        self.step_seconds = float(os.environ.get("KANDINSKY_FAKE_STEP_SECONDS", "0"))
        self._record("open", model_dir=str(model_dir), device=device, precision=precision)

    def close(self):
        self.closed = True
        self._record("close")

    def unload(self):
        self._record("unload")

    def cancel(self):
        self._record("cancel")

    def encode_prompts(
        self,
        prompts,
        negative_prompts=None,
        *,
        seeds,
        prior_num_inference_steps=25,
        prior_guidance_scale=4.0,
    ):
        self._record(
            "encode_prompts",
            prompts=list(prompts),
            negative_prompts=None if negative_prompts is None else list(negative_prompts),
            seeds=list(seeds),
            prior_num_inference_steps=prior_num_inference_steps,
            prior_guidance_scale=prior_guidance_scale,
        )
        assert len(prompts) == len(seeds)
        self._steps("text_encoder", 1)
        self._steps("prior", prior_num_inference_steps)
        if any(len(text) > 300 for text in prompts) and self.on_message is not None:
            self.on_message("The prompt was cut after 77 tokens.")
        sides = []
        for texts in (prompts, negative_prompts or ["no text"] * len(prompts)):
            rows = [
                _digest(text, seed, prior_num_inference_steps, float(prior_guidance_scale))[:3]
                for text, seed in zip(texts, seeds, strict=True)
            ]
            sides.append(Embeds(np.array(rows, dtype=np.float64), len(texts)))
        return sides[0], sides[1]

    def denoise(
        self,
        embeds,
        negative_embeds,
        *,
        width,
        height,
        seeds,
        sampler="DDIM",
        num_inference_steps=50,
        guidance_scale=4.0,
        noise=None,
    ):
        self._record(
            "denoise",
            width=width,
            height=height,
            seeds=list(seeds),
            sampler=sampler,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            noise=None if noise is None else noise.copy(),
        )
        if num_inference_steps > 999:
            raise InvalidArgumentError(f"num_inference_steps is {num_inference_steps}: 1..999")
        assert noise is None or noise.flags.c_contiguous
        lw, lh = self.latent_size(width, height)
        latents = np.zeros((len(seeds), 4, lh, lw), dtype=np.float32)
        for i, seed in enumerate(seeds):
            drawn = np.random.default_rng(seed % 2**63).normal(size=(lh, lw))
            own = drawn if noise is None else noise[i, 0]
            assert own.shape == (lh, lw), f"noise of shape {own.shape}, expected {(lh, lw)}"
            colour = embeds.colours[i] * 0.7 + negative_embeds.colours[i] * 0.1
            tint = _digest(num_inference_steps, float(guidance_scale), sampler)[0] / 20
            shade = np.clip(colour[:, None, None] + own[None] * 6 + tint, 0, 255)
            latents[i, :3] = shade / 255
            latents[i, 3] = own
        if self._steps("denoise", num_inference_steps, latents):
            latents = latents * 0.5
        return latents

    def decode(self, latents, *, width, height):
        self._record("decode", width=width, height=height, shape=latents.shape)
        assert latents.dtype == np.float32
        assert latents.flags.c_contiguous
        self._steps("decode", 1)
        pictures = np.moveaxis(latents[:, :3], 1, -1) * 255
        large = pictures.repeat(8, axis=1).repeat(8, axis=2)
        return np.clip(large + 0.5, 0, 255).astype(np.uint8)[:, :height, :width]

    def encode(self, pictures):
        self._record("encode", shape=pictures.shape)
        assert pictures.dtype == np.uint8
        assert pictures.flags.c_contiguous
        batch, height, width, _ = pictures.shape
        blocks = pictures.reshape(batch, height // 8, 8, width // 8, 8, 3).mean(axis=(2, 4))
        latents = np.zeros((batch, 4, height // 8, width // 8), dtype=np.float32)
        latents[:, :3] = np.moveaxis(blocks, -1, 1) / 255
        return latents

    def latent_size(self, width, height):
        multiple, factor = self.info.size_multiple, self.info.latent_factor
        return (
            -(-width // multiple) * multiple // factor,
            -(-height // multiple) * multiple // factor,
        )

    def _record(self, name, **arguments):
        Engine.calls.append((name, arguments))

    def _steps(self, stage, steps, latents=None):
        """Returns whether the loop was ended before its end."""
        for step in range(steps + 1):
            if step and self.step_seconds:
                time.sleep(self.step_seconds)
            if self.on_progress is None:
                continue
            shown = latents if step else None
            action = self.on_progress(Progress(stage, step, steps, shown))
            if action is Action.CANCEL:
                raise CancelledError("the job was cancelled")
            if action is Action.FINISH:
                return step < steps
        return False
