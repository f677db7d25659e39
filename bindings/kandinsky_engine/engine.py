"""The engine: loaded models, and the stages from texts to images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from kandinsky_engine import _arguments, _arrays
from kandinsky_engine._load import core
from kandinsky_engine._options import make_options
from kandinsky_engine.embeds import Embeds, raw_embeds
from kandinsky_engine.errors import InvalidArgumentError
from kandinsky_engine.keywords import (
    DecodeOptions,
    DenoiseOptions,
    EncodeOptions,
    EncodePromptsOptions,
    EngineOptions,
    GenerateOptions,
    ImageToImageOptions,
    TextToImageOptions,
)
from kandinsky_engine.progress import Action, Progress

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class EngineInfo:
    """The model family of an engine, its device and its sizes."""

    family: str
    device: str
    precision: str
    reason: str
    """For this device and precision, in one line."""
    prior_dir: str
    native_size: int
    """Side in pixels of the images that the model was trained on."""
    latent_channels: int
    latent_factor: int
    """Pixels per latent in each direction."""
    size_multiple: int
    """Sizes are rounded up to a multiple of this internally and cropped back."""
    inpaint_dir: str
    """The inpainting model's folder; "" without one: the model itself then inpaints."""
    changes: str
    """Weights that are not the model's own, for an image's parameters: a line for each option, such
    as "unet: file.safetensors [1a2b3c4d]", with a short hash of the file."""
    takes_hints: bool
    """The model needs hints, such as depth maps."""
    own_sampler: str
    """What the sampler "Automatic" is: that of the model's scheduler_config.json."""


@dataclass(frozen=True)
class MemoryPlan:
    """The memory plan of an image, in bytes."""

    budget: int
    """The limit: max_memory, or the free memory."""
    peak: int
    """The expected peak, libraries included."""
    least: int
    """The smallest max_memory that would work."""
    holds_everything: bool
    """No weights are freed or read again during the job."""
    text: str
    """A description for the user."""


class Engine:
    """Loaded models and the state of one job.

    One engine runs one job at a time; a second call meanwhile raises BusyError. It may be used from
    any thread, and other threads run while it works. Ctrl-C in the main thread ends a job at its
    next step with KeyboardInterrupt. Where the interpreter ends, jobs of daemon threads are
    cancelled and waited for.

    model_dir, prior_dir: folders in diffusers' folder layout; without prior_dir the folder beside
    the model named <model>-prior. More keywords: EngineOptions. Raises NotFoundError,
    CorruptFileError, IncompatibleError, UnsupportedError, InvalidArgumentError. Weights are loaded
    by the first job that needs them; jobs raise OutOfMemoryError before any work if max_memory is
    too small.
    """

    on_progress: Callable[[Progress], Action | None] | None
    """Called on the working thread before the first step of each stage and after each step. None as
    a result means Action.CONTINUE; an exception ends the job and leaves the call unchanged."""

    on_message: Callable[[str], object] | None
    """Called with remarks for the user, e.g. that a prompt was truncated."""

    def __init__(
        self,
        model_dir: _arguments.AnyPath,
        prior_dir: _arguments.AnyPath | None = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        self.on_progress = None
        self.on_message = None
        keywords = {"model_dir": model_dir, "prior_dir": prior_dir, **options}
        self._raw = core.Engine(make_options("engine", keywords))

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

    def set_loras(self, loras: Iterable[_arguments.AnyPath]) -> None:
        """Merges these LoRA files into the weights from now on, each "FILE" or "FILE:WEIGHT",
        instead of the previous ones.

        Only networks whose weights change are loaded again, also for a file that was written again
        since. Raises IncompatibleError for a LoRA of another model, with nothing changed, and
        BusyError during a job.
        """
        self._raw.set_loras(_arguments.paths("loras", loras))

    def unload(self) -> None:
        """Frees all weights; the next job loads what it needs. Raises BusyError during a job."""
        self._raw.unload()

    def cancel(self) -> None:
        """Ends the running job with CancelledError at its next step.

        If none runs, it cancels the next job that starts on another thread within a second, since a
        thread that was just started may not have reached its job yet.

        May be called from any thread.
        """
        self._raw.cancel()

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(**self._raw.info())

    def plan_memory(
        self, width: SupportsIndex, height: SupportsIndex, batch_size: SupportsIndex = 1
    ) -> MemoryPlan:
        """Plans the memory of images from texts, without generating.

        Jobs report their plan through on_message unless everything stays loaded. Raises
        OutOfMemoryError for a max_memory that is too small, with the smallest possible one.
        """
        return MemoryPlan(
            **self._raw.plan_memory(
                _arguments.integer("width", width),
                _arguments.integer("height", height),
                _arguments.integer("batch_size", batch_size),
            )
        )

    def latent_size(self, width: SupportsIndex, height: SupportsIndex) -> tuple[int, int]:
        """(width, height) of an image's latents. Raises InvalidArgumentError for bad sizes."""
        return self._raw.latent_size(
            _arguments.integer("width", width), _arguments.integer("height", height)
        )

    @overload
    def encode_prompts(
        self,
        prompts: Iterable[str],
        negative_prompts: Iterable[str] | None = None,
        *,
        seeds: Iterable[SupportsIndex],
        with_negative: Literal[True] = True,
        **options: Unpack[EncodePromptsOptions],
    ) -> tuple[Embeds, Embeds]: ...

    @overload
    def encode_prompts(
        self,
        prompts: Iterable[str],
        negative_prompts: Iterable[str] | None = None,
        *,
        seeds: Iterable[SupportsIndex],
        with_negative: bool,
        **options: Unpack[EncodePromptsOptions],
    ) -> tuple[Embeds, Embeds | None]: ...

    def encode_prompts(
        self,
        prompts: Iterable[str],
        negative_prompts: Iterable[str] | None = None,
        *,
        seeds: Iterable[SupportsIndex],
        with_negative: bool = True,
        **options: Unpack[EncodePromptsOptions],
    ) -> tuple[Embeds, Embeds | None]:
        """Encodes texts and samples the prior: (embeds, negative embeds), one row per prompt.

        seeds: 0 to 2^64 - 1; row i depends only on seeds[i]. with_negative: whether to make the
        negative embeds, which only guidance uses; else they are None. More keywords:
        EncodePromptsOptions. Source: diffusers, KandinskyPriorPipeline.
        """
        raw = make_options(
            "encode_prompts",
            {"prompts": prompts, "negative_prompts": negative_prompts, "seeds": seeds, **options},
        )
        embeds, negative_embeds = self._raw.encode_prompts(raw, bool(with_negative), *self._reports)
        return Embeds(embeds), None if negative_embeds is None else Embeds(negative_embeds)

    def encode_images(self, images: Iterable[_arrays.AnyArray]) -> Embeds:
        """Embeds of images instead of texts, one row each, with the text part of an empty text.

        images: uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], of any sizes. Alone the result
        gives variations of an image, combined with others a mix.
        """
        return Embeds(self._raw.encode_images(_arrays.images("images", images), *self._reports))

    def denoise(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        *,
        width: SupportsIndex,
        height: SupportsIndex,
        seeds: Iterable[SupportsIndex],
        **options: Unpack[DenoiseOptions],
    ) -> NDArray[np.float32]:
        """Runs the sampler: latents [B, 4, h, w], float32.

        negative_embeds may be None when guidance is off. width, height: pixels, 1 to 16384. seeds:
        one per image. More keywords: DenoiseOptions.
        """
        raw, shape = _sized_options("denoise", seeds, width, height, options)
        return np.asarray(
            self._raw.denoise(*_raw_sides(embeds, negative_embeds), raw, *shape, *self._reports)
        )

    def decode(
        self,
        latents: _arrays.AnyArray,
        *,
        width: SupportsIndex,
        height: SupportsIndex,
        **options: Unpack[DecodeOptions],
    ) -> NDArray[np.uint8]:
        """Latents [B, 4, h, w] of images of width x height -> images [B, H, W, 3].

        More keywords: DecodeOptions.
        """
        raw = make_options("decode", {"width": width, "height": height, **options})
        return np.asarray(
            self._raw.decode(
                raw,
                _arrays.floats("latents", latents),
                _arguments.integer("width", width),
                _arguments.integer("height", height),
                *self._reports,
            )
        )

    def encode(
        self, images: _arrays.AnyArray, **options: Unpack[EncodeOptions]
    ) -> NDArray[np.float32]:
        """Images [B, H, W, 3] -> latents [B, 4, h, w].

        Sizes that are not multiples of info.size_multiple are padded by repeating the border. More
        keywords: EncodeOptions.
        """
        for name in ("width", "height"):
            if name in options:
                raise TypeError(
                    f"encode() takes no keyword argument {name!r}: it comes from the images"
                )
        raw = make_options("encode", options)
        return np.asarray(self._raw.encode(raw, _arrays.pixels("images", images), *self._reports))

    def text_to_image(
        self,
        prompts: Iterable[str],
        negative_prompts: Iterable[str] | None = None,
        *,
        seeds: Iterable[SupportsIndex],
        width: SupportsIndex,
        height: SupportsIndex,
        **options: Unpack[TextToImageOptions],
    ) -> NDArray[np.uint8]:
        """encode_prompts, denoise and decode in a row: images [B, H, W, 3], uint8.

        Image i depends only on prompts[i] and seeds[i]. More keywords: TextToImageOptions.
        """
        raw, shape = _sized_options(
            "text_to_image",
            seeds,
            width,
            height,
            {"prompts": prompts, "negative_prompts": negative_prompts, **options},
        )
        return np.asarray(self._raw.text_to_image(raw, *shape, *self._reports))

    def image_to_image(
        self,
        prompts: Iterable[str],
        negative_prompts: Iterable[str] | None = None,
        *,
        images: Iterable[_arrays.AnyArray],
        seeds: Iterable[SupportsIndex],
        width: SupportsIndex,
        height: SupportsIndex,
        **options: Unpack[ImageToImageOptions],
    ) -> NDArray[np.uint8]:
        """The same from images and, with masks, inpainting: images [B, H, W, 3], uint8.

        images: 1 for all, or B, each uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] of any size;
        each distinct one is encoded once. With strength 0 the result is the image itself. More
        keywords: ImageToImageOptions. Source: diffusers, KandinskyImg2ImgPipeline and
        KandinskyInpaintPipeline.
        """
        raw, shape = _sized_options(
            "image_to_image",
            seeds,
            width,
            height,
            {
                "prompts": prompts,
                "negative_prompts": negative_prompts,
                "images": images,
                **options,
            },
        )
        return np.asarray(self._raw.image_to_image(raw, *shape, *self._reports))

    def generate(
        self,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        *,
        images: Iterable[_arrays.AnyArray] | None = None,
        seeds: Iterable[SupportsIndex],
        width: SupportsIndex,
        height: SupportsIndex,
        **options: Unpack[GenerateOptions],
    ) -> NDArray[np.uint8]:
        """denoise and decode in a row, from embeds of any kind: images [B, H, W, 3], uint8.

        negative_embeds may be None when guidance is off. images: as of image_to_image, or None:
        from noise. More keywords: GenerateOptions.
        """
        masks = options.get("masks")
        if images is None and masks is not None and _arrays.masks("masks", masks):
            raise InvalidArgumentError("masks: need images")
        keywords = options if images is None else {"images": images, **options}
        raw, shape = _sized_options("generate", seeds, width, height, keywords)
        return np.asarray(
            self._raw.generate(*_raw_sides(embeds, negative_embeds), raw, *shape, *self._reports)
        )

    @property
    def _reports(self) -> tuple[Callable[..., int], Callable[[str], None]]:
        return self._report_progress, self._report_message

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


def _raw_sides(
    embeds: Embeds, negative_embeds: Embeds | None
) -> tuple[core.Embeds, core.Embeds | None]:
    return (
        raw_embeds("embeds", embeds),
        None if negative_embeds is None else raw_embeds("negative_embeds", negative_embeds),
    )


def _sized_options(
    operation: str,
    seeds: Iterable[SupportsIndex],
    width: SupportsIndex,
    height: SupportsIndex,
    keywords: Mapping[str, object],
) -> tuple[core.Options, tuple[int, int, int]]:
    """The options, and {batch size, width, height}."""
    checked = _arguments.seeds("seeds", seeds)
    shape = (
        len(checked),
        _arguments.integer("width", width),
        _arguments.integer("height", height),
    )
    given = {**keywords, "seeds": checked, "width": shape[1], "height": shape[2]}
    return make_options(operation, given), shape
