"""The object that stands where the host keeps its Stable Diffusion model, and the sampler that
goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from modules import sd_samplers

from kandinsky_ext.host import answers


class Job(Protocol):
    """What a run wants generated; see `job.RunJob`."""

    model_name: str

    def started(self) -> None:
        """The host's options are now those of the run; images are encoded and generated next."""

    def sample(self, p: Any, x: torch.Tensor, conditioning: Any, unconditional: Any) -> Any:
        """Latents [B, 4, h, w] generated from the noise x."""

    def sample_img2img(
        self,
        p: Any,
        x: torch.Tensor,
        noise: torch.Tensor,
        conditioning: Any,
        unconditional: Any,
        steps: int | None,
    ) -> torch.Tensor:
        """Latents generated from the latents x. steps: those of a hires pass, else None."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Images [B, 3, height, width] in -1..1 to latents of the host's size."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, 4, h, w] to images [B, 3, height, width] in -1..1."""


class CheckpointInfo:
    """The host names files and images after this, and keeps prompts apart by its identity."""

    def __init__(self, name: str) -> None:
        self.name = self.name_for_extra = self.model_name = self.title = self.short_title = name
        self.filename = name
        self.hash = self.shorthash = self.sha256 = None
        self.metadata: dict[str, Any] = {}
        self.ids: list[str] = []


class Facade(torch.nn.Module):  # type: ignore[misc]  # mypy skips torch
    """Just the attributes that the host touches. More would change its behaviour.

    Prompts stay text: `get_learned_conditioning` returns what it is given, so the host's parser
    resolves editing, styles and AND, and the sampler reads the texts out of the host's structures.
    """

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.work_on(job)
        self.sd_model_hash = None
        self.first_stage_model = torch.nn.Module()
        self.first_stage_model.dtype = torch.float32
        self.model = torch.nn.Module()
        self.model.conditioning_key = "crossattn"
        self.model.diffusion_model = torch.nn.Module()
        self.cond_stage_key = "txt"
        self.is_sd1 = self.is_sd2 = self.is_sdxl = self.is_sdxl_inpaint = self.is_sd3 = False
        self.lowvram = False
        self.latent_channels = 4
        self.parameterization = "eps"

    @contextmanager
    def ema_scope(self) -> Iterator[None]:
        """The host enters this for each run, after the settings that the run overrides and before
        anything is generated or written.
        """
        self.job.started()
        yield

    @contextmanager
    def working_on(self, job: Job) -> Iterator[None]:
        """Another job for as long as this lasts, for a run inside a run."""
        before = self.job
        self.work_on(job)
        try:
            yield
        finally:
            self.work_on(before)

    def work_on(self, job: Job) -> None:
        """This job from now on, under its model's name."""
        self.job = job
        self.sd_checkpoint_info = CheckpointInfo(job.model_name)
        self.sd_model_checkpoint = job.model_name

    def get_learned_conditioning(self, texts: Sequence[str]) -> list[str]:
        return list(texts)

    def decode_first_stage(self, latents: torch.Tensor) -> torch.Tensor:
        return self.job.decode(latents)

    def encode_first_stage(self, images: torch.Tensor) -> torch.Tensor:
        return self.job.encode(images)

    def get_first_stage_encoding(self, latents: torch.Tensor) -> torch.Tensor:
        return latents


class _Wrap:
    def __init__(self, facade: Facade) -> None:
        self.inner_model = facade


class Sampler:
    """What the host calls for a batch. The loop itself is the engine's."""

    conditioning_key = "crossattn"
    eta = 0.0
    last_latent = None

    def __init__(self, name: str, facade: Facade) -> None:
        self.config = sd_samplers.find_sampler_config(name)
        self.model_wrap = _Wrap(facade)
        self._facade = facade

    def sample(
        self,
        p: Any,
        x: torch.Tensor,
        conditioning: Any,
        unconditional_conditioning: Any,
        steps: int | None = None,
        image_conditioning: Any = None,
    ) -> Any:
        with answers.told(p):
            return self._facade.job.sample(p, x, conditioning, unconditional_conditioning)

    def sample_img2img(
        self,
        p: Any,
        x: torch.Tensor,
        noise: torch.Tensor,
        conditioning: Any,
        unconditional_conditioning: Any,
        steps: int | None = None,
        image_conditioning: Any = None,
    ) -> Any:
        with answers.told(p):
            return self._facade.job.sample_img2img(
                p, x, noise, conditioning, unconditional_conditioning, steps
            )
