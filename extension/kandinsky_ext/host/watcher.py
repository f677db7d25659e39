"""The host's progress bar, preview and stop buttons, for `runner.Watcher`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from modules import images, shared
from PIL import Image

LATENT_FACTOR = 8


class HostWatcher:
    p: Any
    """The processing object that remarks are for."""

    def __init__(self) -> None:
        self._done = 0

    def begin(self, steps: int) -> None:
        self._done = 0
        shared.state.sampling_steps = steps
        shared.state.sampling_step = 0

    def advance(self, done: int, text: str) -> None:
        shared.state.sampling_step = done
        shared.state.textinfo = text
        while self._done < done:
            self._done += 1
            shared.total_tqdm.update()

    def say(self, text: str) -> None:
        shared.state.textinfo = text

    def stop_wanted(self) -> bool:
        # Not stopping_generation: that one means "after this image", and the host's own loop
        # obeys it.
        return bool(shared.state.interrupted or shared.state.skipped)

    def previews(self) -> bool:
        return self._interval() > 0

    def preview_due(self, step: int) -> bool:
        # Read once: the settings page may change it meanwhile, also to what means none.
        interval = self._interval()
        return interval > 0 and step % interval == 0

    def show(self, previews: npt.NDArray[np.uint8]) -> None:
        enlarged = [
            Image.fromarray(preview).resize(
                (preview.shape[1] * LATENT_FACTOR, preview.shape[0] * LATENT_FACTOR),
                Image.Resampling.BICUBIC,
            )
            for preview in previews
        ]
        grid = shared.opts.show_progress_grid and len(enlarged) > 1
        # The host's other way, state.current_latent, would decode with Stable Diffusion's
        # approximations.
        shared.state.assign_current_image(images.image_grid(enlarged) if grid else enlarged[0])

    def remark(self, text: str) -> None:
        self.p.comment(text)

    @staticmethod
    def _interval() -> int:
        """In steps; 0 for none. The host's -1 means: only when the image is finished, which
        needs nothing from us.
        """
        if not shared.opts.live_previews_enable:
            return 0
        return max(0, int(shared.opts.show_progress_every_n_steps))
