"""Runs requests on an open engine: progress and previews out, stop wishes in."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kandinsky_ext.engine import OpenEngine
from kandinsky_ext.preview import Projection
from kandinsky_ext.request import Request

STAGE_TEXTS = {
    "load": "Kandinsky: loading weights",
    "text_encoder": "Kandinsky: reading the prompt",
    "image_encoder": "Kandinsky: looking at the picture",
    "prior": "Kandinsky: prior",
    "denoise": "Kandinsky: painting",
    "encode": "Kandinsky: encoding",
    "decode": "Kandinsky: decoding",
}


class Watcher(Protocol):
    """The person's side of a run, as the host offers it."""

    def begin(self, steps: int) -> None:
        """A batch of this many steps starts."""

    def advance(self, done: int, text: str) -> None:
        """So many of them are done; `text` says what is going on."""

    def stop_wanted(self) -> bool:
        """Whether this batch should end now."""

    def previews(self) -> bool:
        """Whether previews are wanted in this run at all."""

    def preview_due(self, step: int) -> bool:
        """Whether one is wanted after this step of the sampler, 1 or more."""

    def show(self, pictures: npt.NDArray[np.uint8]) -> None:
        """A preview: [B, h, w, 3], one pixel per latent."""

    def remark(self, text: str) -> None:
        """A line for the person, shown under the pictures."""


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

    def paint(self, request: Request) -> npt.NDArray[np.float32] | None:
        """Paints a batch: latents [B, 4, h, w], or None if it was stopped before there was anything
        to see.

        A picture that was stopped on its way comes as far as it got.
        """
        parts = request.parts()
        self._begin(request, parts)
        painted: list[tuple[list[int], npt.NDArray[np.float32]]] = []
        for places, part in parts:
            latents = self._paint_part(part)
            if latents is None:
                break
            painted.append((places, latents))
        if not painted:
            return None
        whole = np.zeros((len(request), *painted[0][1].shape[1:]), dtype=np.float32)
        for places, latents in painted:
            whole[places] = latents
        return whole

    def decode(
        self, latents: npt.NDArray[np.float32], *, width: int, height: int
    ) -> npt.NDArray[np.uint8]:
        """Latents [B, 4, h, w] to pictures [B, height, width, 3]. Goes on when a stop is wanted."""
        self._engine.on_progress = self._while_decoding
        try:
            pictures: npt.NDArray[np.uint8] = self._engine.decode(
                latents, width=width, height=height
            )
        finally:
            self._engine.on_progress = None
        self._done += len(pictures)
        self._watcher.advance(self._done, STAGE_TEXTS["decode"])
        return pictures

    def latent_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the latents of a picture."""
        lw, lh = self._engine.latent_size(width, height)
        return int(lw), int(lh)

    def _begin(self, request: Request, parts: list[tuple[list[int], Request]]) -> None:
        """Tells how many steps there will be: prior and sampler for each part, and one per picture
        to decode.
        """
        self._cancelled = False
        self._done = 0
        total = sum(
            (0 if self._opened.has_embeds(part.embeds_key()) else part.prior_num_inference_steps)
            + part.num_inference_steps
            for _, part in parts
        )
        self._watcher.begin(total + len(request))
        if self._watcher.previews():
            try:
                self._projection = self._opened.projection()
            except self._opened.package.KandinskyError as error:
                self._watcher.remark(f"Preview: there is none for this model: {error}")

    def _paint_part(self, part: Request) -> npt.NDArray[np.float32] | None:
        key = part.embeds_key()
        prior_steps = 0 if self._opened.has_embeds(key) else part.prior_num_inference_steps
        self._spans = {
            "prior": (self._done, prior_steps),
            "denoise": (self._done + prior_steps, part.num_inference_steps),
        }
        end = self._done + prior_steps + part.num_inference_steps
        self._engine.on_progress = self._while_painting
        try:
            if self._watcher.stop_wanted():
                return None
            (embeds, negative_embeds), remarks = self._opened.embeds(
                key, len(part), lambda: self._encode(part)
            )
            for remark in remarks:
                self._watcher.remark(remark)
            self._engine.on_message = self._watcher.remark
            latents: npt.NDArray[np.float32] = self._engine.denoise(
                embeds, negative_embeds, **part.denoise_arguments()
            )
        except self._opened.package.KandinskyError:
            if self._cancelled:
                return None
            raise
        finally:
            self._engine.on_progress = None
            self._engine.on_message = None
        self._done = end
        return latents

    def _encode(self, part: Request) -> tuple[Any, list[str]]:
        """Embeddings, and what the engine remarked on the texts: it is true of later uses too."""
        remarks: list[str] = []
        self._engine.on_message = remarks.append
        return self._engine.encode_prompts(**part.encode_arguments()), remarks

    def _while_painting(self, progress: Any) -> Any:
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

    def _preview(self, progress: Any) -> None:
        if self._projection is None or progress.latents is None:
            return
        if self._watcher.preview_due(progress.step):
            self._watcher.show(self._projection.pictures(progress.latents))

    def _while_decoding(self, progress: Any) -> Any:
        self._watcher.advance(self._done, STAGE_TEXTS.get(progress.stage, progress.stage))
        return self._continue
