"""Runs requests on an open engine: progress and previews out, stop wishes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kandinsky_ext.conditions import Guide, Row
from kandinsky_ext.controls import with_label
from kandinsky_ext.encoding import Pair, encode, groups
from kandinsky_ext.engine import OpenEngine, taken
from kandinsky_ext.errors import UserError
from kandinsky_ext.mixing import Mix
from kandinsky_ext.preview import Projection
from kandinsky_ext.request import Request

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

STAGE_TEXTS = {
    "load": "Kandinsky: loading weights",
    "text_encoder": "Kandinsky: encoding the prompt",
    "image_encoder": "Kandinsky: encoding the image (CLIP)",
    "prior": "Kandinsky: prior",
    "denoise": "Kandinsky: denoising",
    "encode": "Kandinsky: encoding the image (MoVQ)",
    "decode": "Kandinsky: decoding",
}


class Watcher(Protocol):
    """The person's side of a run, as the host offers it."""

    def begin(self, steps: int) -> None:
        """A batch of this many steps starts."""

    def advance(self, done: int, text: str) -> None:
        """So many of them are done; `text` says what is going on."""

    def say(self, text: str) -> None:
        """Likewise, without counting. From another thread, too."""

    def stop_wanted(self) -> bool:
        """Whether this batch should end now."""

    def previews(self) -> bool:
        """Whether previews are wanted in this run at all."""

    def preview_due(self, step: int) -> bool:
        """Whether one is wanted after this step of the sampler, 1 or more."""

    def show(self, images: npt.NDArray[np.uint8]) -> None:
        """A preview: [B, h, w, 3], one pixel per latent."""

    def remark(self, text: str) -> None:
        """A line for the person, shown under the images."""


class Runner:
    """One run of the script: any number of batches on one engine."""

    def __init__(self, opened: OpenEngine, watcher: Watcher) -> None:
        self._opened = opened
        self._engine = opened.engine
        self._watcher = watcher
        self._continue = opened.package.Action.CONTINUE
        self._finish = opened.package.Action.FINISH
        self._cancel = opened.package.Action.CANCEL
        self._spans: dict[str, tuple[int, int]] = {}
        self._done = 0
        self._cancelled = False
        self._projection: Projection | None = None

    def generate(self, request: Request) -> Floats | None:
        """Latents [B, 4, h, w], or None if it was stopped before there was anything to see.

        An image that was stopped on its way comes as far as it got.
        """
        positive, negative = request.positive_guide(), request.negative_guide()
        options = taken(self._opened.package, "encode_prompts", request.options)
        calls = groups([*positive.rows, *(negative.rows if negative else ())])
        prior_steps = options["prior_num_inference_steps"]
        self._begin(len(calls) * prior_steps + request.steps.running + len(request))
        self._engine.call_back(self._while_generating, self._watcher.remark)
        try:
            pairs: dict[Row, Pair] = {}
            for call in calls:
                if self._watcher.stop_wanted():
                    return None
                self._spans = {"prior": (self._done, prior_steps)}
                pairs |= encode(self._engine, call, options, guided=negative is not None)
                # Also where the prior did not run, since the engine knew its results.
                self._done = self._spans["prior"][0] + prior_steps
            if self._watcher.stop_wanted():
                return None
            embeds = self._mixed(self._collected(positive, pairs, 0), positive, request.mix)
            negative_embeds = self._collected(negative, pairs, 1) if negative else None
            return self._denoise(request, embeds, negative_embeds, positive, negative)
        except self._opened.package.KandinskyError as error:
            if self._cancelled:
                return None
            told = with_label(str(error))
            if told != str(error) and isinstance(error, self._opened.package.InvalidArgumentError):
                raise UserError(told) from error
            raise
        finally:
            self._opened.loading.end()
            self._engine.call_back()

    def decode(self, latents: Floats, *, width: int, height: int, tiling: bool) -> Pixels:
        """Latents [B, 4, h, w] to images [B, height, width, 3]. Goes on when a stop is wanted."""
        with self._reporting():
            images: Pixels = self._engine.decode(latents, width=width, height=height, tiling=tiling)
        self._done += len(images)
        self._watcher.advance(self._done, STAGE_TEXTS["decode"])
        return images

    def encode(self, image: Pixels, *, tiling: bool, cut: Callable[[Floats], Floats]) -> Floats:
        """Latents of an image [1, H, W, 3], as `cut` leaves them. Goes on like decode."""
        with self._reporting():
            return self._opened.encoded.latents(image, tiling=tiling, cut=cut)

    def unchanged(self, latents: Floats) -> Pixels | None:
        """The image that these are the latents of, if they are just as they were encoded."""
        return self._opened.encoded.image(latents)

    def latent_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the latents of an image."""
        lw, lh = self._engine.latent_size(width, height)
        return int(lw), int(lh)

    def _begin(self, steps: int) -> None:
        """Tells how many steps there will be: those of the prior for each call that encodes, those
        of the sampler, and one per image to decode.
        """
        self._cancelled = False
        self._done = 0
        self._spans = {}
        self._watcher.begin(steps)
        if self._watcher.previews():
            try:
                self._projection = self._opened.projection()
            except self._opened.package.KandinskyError as error:
                self._watcher.remark(f"Preview: not available for this model: {error}")

    def _collected(self, guide: Guide, pairs: dict[Row, Pair], side: int) -> Any:
        """The embeds of a guide's rows, in their order. side: 0 positive, 1 negative."""
        return self._opened.package.Embeds.concat([pairs[row][side] for row in guide.rows])

    def _mixed(self, embeds: Any, guide: Guide, mix: Mix | None) -> Any:
        if mix is None:
            return embeds
        package = self._opened.package

        def image(pixels: Pixels) -> Any:
            return self._engine.encode_images([pixels])

        first = embeds
        if mix.first is not None:
            firsts = package.Embeds.concat([image(pixels) for pixels in mix.first])
            single = len(mix.first) == 1
            first = firsts.select([0 if single else place for place in guide.images])
        return package.Embeds.combine(
            [first, image(mix.second)], list(mix.strengths), text=embeds, method=mix.method
        )

    def _denoise(
        self,
        request: Request,
        embeds: Any,
        negative_embeds: Any,
        positive: Guide,
        negative: Guide | None,
    ) -> Floats:
        self._spans = {"denoise": (self._done, request.steps.running)}
        end = self._done + request.steps.running
        latents: Floats = self._engine.denoise(
            embeds,
            negative_embeds,
            conditions=self._conditions(positive),
            seeds=list(request.seeds),
            negative_conditions=self._conditions(negative),
            **taken(self._opened.package, "denoise", request.options),
        )
        self._done = end
        return latents

    def _conditions(self, guide: Guide | None) -> list[Any] | None:
        if guide is None or guide.conditions is None:
            return None
        return [self._opened.package.Condition(*values) for values in guide.conditions]

    def _while_generating(self, progress: Any) -> Any:
        self._watch_loading(progress)
        start, length = self._spans.get(progress.stage, (self._done, 0))
        self._done = start + (length * progress.step // progress.steps if progress.steps else 0)
        text = STAGE_TEXTS.get(progress.stage, progress.stage)
        if length:
            text = f"{text}, step {progress.step} of {progress.steps}"
        self._watcher.advance(self._done, text)
        stopping = self._watcher.stop_wanted()
        seen = progress.stage == "denoise" and progress.step > 0
        if seen and not stopping:
            self._preview(progress)
        if not stopping:
            return self._continue
        if seen:
            return self._finish
        self._cancelled = True
        return self._cancel

    def _watch_loading(self, progress: Any) -> None:
        """The callback comes before and after each component that is loaded."""
        if progress.stage == "load" and progress.step == 0:
            self._opened.loading.begin(
                lambda text: self._watcher.say(f"{STAGE_TEXTS['load']}, {text}")
            )
        else:
            self._opened.loading.end()

    def _preview(self, progress: Any) -> None:
        if self._projection is None or progress.latents is None:
            return
        if self._watcher.preview_due(progress.step):
            self._watcher.show(self._projection.images(progress.latents))

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Says what is going on, without counting."""

        def report(progress: Any) -> Any:
            self._watch_loading(progress)
            self._watcher.advance(self._done, STAGE_TEXTS.get(progress.stage, progress.stage))
            return self._continue

        self._engine.call_back(report)
        try:
            yield
        finally:
            self._opened.loading.end()
            self._engine.call_back()
