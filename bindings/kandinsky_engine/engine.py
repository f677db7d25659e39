"""The engine: loaded models, and the stages from texts to pictures."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine import _arguments
from kandinsky_engine._load import core
from kandinsky_engine.embeds import Embeds, raw_embeds


class Action(enum.IntEnum):
    """What a progress callback wants next."""

    CONTINUE = 0
    FINISH = 1
    """End this loop now and go on with what there is, as "skip" and "interrupt" of hosts mean."""
    CANCEL = 2
    """End the job with CancelledError."""


@dataclass(frozen=True)
class Progress:
    """Where a job stands. step counts the steps done, so it runs from 0 to steps."""

    stage: str
    """ "load", "text_encoder", "image_encoder", "prior", "denoise", "encode" or "decode"."""
    step: int
    steps: int
    latents: NDArray[np.float32] | None
    """In stage "denoise", from the first step on, a copy of the predicted clean latents
    [B, 4, h, w]."""


@dataclass(frozen=True)
class EngineInfo:
    """What an engine runs, and on what."""

    family: str
    device: str
    precision: str
    reason: str
    """Why that device and precision, in one line."""
    prior_dir: str
    native_size: int
    """Side in pixels of the pictures that the model was trained on."""
    latent_channels: int
    latent_factor: int
    """Pixels per latent in each direction."""
    size_multiple: int
    """Sizes are rounded up to a multiple of this inside and cropped back."""


class Engine:
    """Loaded models and the state of one job.

    One engine runs one job at a time; a second call meanwhile raises BusyError. It may be used from
    any thread, and other threads run while it works. Ctrl-C in the main thread ends a job at its
    next step with KeyboardInterrupt.

    model_dir, prior_dir: folders in hub layout; without prior_dir the folder beside the model named
    <model>-prior. device: "auto", or one as torch spells it. precision: "auto", "fp32", "bf16" or
    "fp16". Raises NotFoundError, CorruptFileError, IncompatibleError, UnsupportedError,
    InvalidArgumentError. Weights are loaded by the first job that needs them.
    """

    on_progress: Callable[[Progress], Action | None] | None
    """Called on the working thread before the first step of each stage and after each step. None as
    a result means Action.CONTINUE; an exception ends the job and comes out of the call
    unchanged."""

    on_message: Callable[[str], object] | None
    """Called with remarks for the person, e.g. that a prompt was cut."""

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        prior_dir: str | os.PathLike[str] | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        self.on_progress = None
        self.on_message = None
        self._raw = core.Engine(
            _arguments.path("model_dir", model_dir),
            "" if prior_dir is None else _arguments.path("prior_dir", prior_dir),
            _arguments.text("device", device),
            _arguments.text("precision", precision),
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the engine; later calls raise InvalidArgumentError. A running job is cancelled."""
        self._raw.close()

    def unload(self) -> None:
        """Frees all weights; the next job loads what it needs. Raises BusyError during a job."""
        self._raw.unload()

    def cancel(self) -> None:
        """Ends the running job with CancelledError at its next step; without a job does nothing.

        May be called from any thread.
        """
        self._raw.cancel()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(**self._raw.info())

    def latent_size(self, width: SupportsIndex, height: SupportsIndex) -> tuple[int, int]:
        """(width, height) of a picture's latents. Raises InvalidArgumentError for bad sizes."""
        return self._raw.latent_size(
            _arguments.integer("width", width), _arguments.integer("height", height)
        )

    def encode_prompts(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str] | None = None,
        *,
        seeds: Sequence[SupportsIndex],
        prior_num_inference_steps: SupportsIndex = 25,
        prior_guidance_scale: SupportsFloat = 4.0,
    ) -> tuple[Embeds, Embeds]:
        """Encodes texts and samples the prior: (embeds, negative embeds), one row per prompt.

        negative_prompts: without them the image side of the negative is the embedding of an empty
        picture; given, even "", it is the prior's result for that text. seeds: 0 to 2^64 - 1; row i
        depends on seeds[i] alone. prior_num_inference_steps: 2 to 1000. prior_guidance_scale: 0 to
        100, 1 and less is off. Source: diffusers, KandinskyPriorPipeline.
        """
        embeds, negative_embeds = self._raw.encode_prompts(
            _arguments.texts("prompts", prompts),
            None
            if negative_prompts is None
            else _arguments.texts("negative_prompts", negative_prompts),
            _arguments.seeds(seeds),
            _arguments.integer("prior_num_inference_steps", prior_num_inference_steps),
            _arguments.number("prior_guidance_scale", prior_guidance_scale),
            self._report_progress,
            self._report_message,
        )
        return Embeds(embeds), Embeds(negative_embeds)

    def denoise(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        *,
        width: SupportsIndex,
        height: SupportsIndex,
        seeds: Sequence[SupportsIndex],
        sampler: str = "DDIM",
        num_inference_steps: SupportsIndex = 50,
        guidance_scale: SupportsFloat = 4.0,
        noise: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Runs the sampler: latents [B, 4, h, w], float32.

        negative_embeds may be None when guidance is off. width, height: pixels, 1 to 16384.
        sampler: one of samplers(). num_inference_steps: 1 to 1000 (DDIM: 999). guidance_scale: 0 to
        100, 1 and less is off. noise: unit normal latents to start from instead of the seeds' own,
        float32 [B, 4, h, w].
        """
        return np.asarray(
            self._raw.denoise(
                raw_embeds("embeds", embeds),
                None if negative_embeds is None else raw_embeds("negative_embeds", negative_embeds),
                _arguments.integer("width", width),
                _arguments.integer("height", height),
                _arguments.seeds(seeds),
                _arguments.text("sampler", sampler),
                _arguments.integer("num_inference_steps", num_inference_steps),
                _arguments.number("guidance_scale", guidance_scale),
                noise,
                self._report_progress,
                self._report_message,
            )
        )

    def decode(
        self, latents: NDArray[np.float32], *, width: SupportsIndex, height: SupportsIndex
    ) -> NDArray[np.uint8]:
        """Latents [B, 4, h, w] of pictures of width x height -> pictures [B, H, W, 3]."""
        return np.asarray(
            self._raw.decode(
                latents,
                _arguments.integer("width", width),
                _arguments.integer("height", height),
                self._report_progress,
                self._report_message,
            )
        )

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, H, W, 3] -> latents [B, 4, h, w].

        Sizes that are no multiple of info.size_multiple are filled up by repeating the border.
        """
        return np.asarray(self._raw.encode(pictures, self._report_progress, self._report_message))

    def text_to_image(
        self,
        prompts: Sequence[str],
        negative_prompts: Sequence[str] | None = None,
        *,
        seeds: Sequence[SupportsIndex],
        width: SupportsIndex,
        height: SupportsIndex,
        prior_num_inference_steps: SupportsIndex = 25,
        prior_guidance_scale: SupportsFloat = 4.0,
        sampler: str = "DDIM",
        num_inference_steps: SupportsIndex = 50,
        guidance_scale: SupportsFloat = 4.0,
    ) -> NDArray[np.uint8]:
        """encode_prompts, denoise and decode in a row: pictures [B, H, W, 3], uint8.

        Picture i is what prompts[i] and seeds[i] give alone.
        """
        return np.asarray(
            self._raw.text_to_image(
                _arguments.texts("prompts", prompts),
                None
                if negative_prompts is None
                else _arguments.texts("negative_prompts", negative_prompts),
                _arguments.seeds(seeds),
                _arguments.integer("width", width),
                _arguments.integer("height", height),
                _arguments.integer("prior_num_inference_steps", prior_num_inference_steps),
                _arguments.number("prior_guidance_scale", prior_guidance_scale),
                _arguments.text("sampler", sampler),
                _arguments.integer("num_inference_steps", num_inference_steps),
                _arguments.number("guidance_scale", guidance_scale),
                self._report_progress,
                self._report_message,
            )
        )

    def _report_progress(
        self, stage: str, step: int, steps: int, latents: core.FloatBuffer | None
    ) -> int:
        if self.on_progress is None:
            return Action.CONTINUE
        action = self.on_progress(
            Progress(stage, step, steps, None if latents is None else np.asarray(latents))
        )
        return Action.CONTINUE if action is None else Action(action)

    def _report_message(self, message: str) -> None:
        if self.on_message is not None:
            self.on_message(message)
