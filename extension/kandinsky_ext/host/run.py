"""One run of the script: the host's own loop, with Kandinsky in force."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from modules import processing, rng, shared

from kandinsky_ext import infotext, models, request
from kandinsky_ext.controls import Settings
from kandinsky_ext.engine import EngineKey, OpenEngine, keeper
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import backend, prompts, tools
from kandinsky_ext.host.watcher import HostWatcher
from kandinsky_ext.runner import Runner

FULL_DECODING = {"sd_vae_decode_method": "Full", "sd_vae_encode_method": "Full"}
"""Else a user's choice of TAESD would decode our latents with Stable Diffusion's little decoder."""


def run(p: Any, settings: Settings) -> Any:
    """Paints what `p` asks for and returns the host's Processed.

    Raises UserError for what cannot be painted, and the engine's own errors; the host shows either.
    """
    _refuse(p)
    model = models.choose(settings.model, tools.model_roots())
    device, device_remark = tools.device()
    shared.state.textinfo = "Kandinsky: opening the model"
    opened = keeper.get(EngineKey(model.folder, device, settings.precision))
    sampler, sampler_remark = request.pick_sampler(p.sampler_name, opened.package.samplers())
    size_remark = request.size_remark(p.width, p.height, opened.engine.info.native_size)
    for remark in (device_remark, sampler_remark, size_remark):
        if remark is not None:
            p.comment(remark)
    _prepare(p)
    infotext.write(
        p.extra_generation_params,
        settings,
        sampler=sampler,
        model=model.name,
        precision=opened.engine.info.precision,
        host_noise=request.uses_host_noise(p),
    )
    job = RunJob(p, opened, settings, model_name=model.name, sampler=sampler)
    try:
        with _options_of(p), backend.in_force(job):
            return processing.process_images(p)
    finally:
        shared.state.textinfo = None


class RunJob:
    """`facade.Job` for one run: batches as the host's loop brings them."""

    def __init__(
        self, p: Any, opened: OpenEngine, settings: Settings, *, model_name: str, sampler: str
    ) -> None:
        self.model_name = model_name
        self._settings = settings
        self._sampler = sampler
        self._runner = Runner(opened, HostWatcher(p))
        self._size = (int(p.width), int(p.height))

    def sample(self, p: Any, x: torch.Tensor, conditioning: Any, unconditional: Any) -> Any:
        """See `facade.Job`. `p` may be another than the run's: a detailer paints through ours."""
        asked = request.make(
            p,
            self._settings,
            prompts=prompts.positive(p, conditioning),
            negative_prompts=prompts.negative(p, unconditional),
            sampler=self._sampler,
            noise=self._noise(p, x),
        )
        self._size = (asked.width, asked.height)
        latents = self._runner.paint(asked)
        if latents is None:
            return _nothing_painted(asked)
        return torch.from_numpy(latents).to(x.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """See `facade.Job`.

        The pictures have the size that was asked for, though the latents are larger.
        """
        width, height = self._size
        pictures = self._runner.decode(
            latents.detach().cpu().to(torch.float32).contiguous().numpy(),
            width=width,
            height=height,
        )
        # The host cuts off where others round, so aim at the middle of each of the 256 steps.
        values = (pictures.astype(np.float32) + 0.5) / 255 * 2 - 1
        return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().to(latents.device)

    def _noise(self, p: Any, x: torch.Tensor) -> npt.NDArray[np.float32] | None:
        """The host's noise where its seed extras made it, else None: the engine draws what
        diffusers draws.
        """
        if not request.uses_host_noise(p):
            return None
        width, height = self._runner.latent_size(int(p.width), int(p.height))
        if x.shape[-2:] != (height, width):
            # The host rounds sizes down to whole latents, the engine up to what its network can
            # halve.
            x = rng.ImageRNG(
                (x.shape[1], height, width),
                p.seeds,
                subseeds=p.subseeds,
                subseed_strength=p.subseed_strength,
                seed_resize_from_h=p.seed_resize_from_h,
                seed_resize_from_w=p.seed_resize_from_w,
            ).next()
        noise: npt.NDArray[np.float32] = x.detach().cpu().to(torch.float32).contiguous().numpy()
        return noise


def _refuse(p: Any) -> None:
    if getattr(p, "enable_hr", False):
        raise UserError("Kandinsky cannot do hires. fix yet: please switch it off.")
    if getattr(p, "init_images", None):
        raise UserError("Kandinsky cannot do img2img yet: please use it in the txt2img tab.")
    if getattr(shared.opts, "onnx_enable", False):
        raise UserError("Kandinsky cannot run while ONNX is on: switch it off in Settings > ONNX.")


def _prepare(p: Any) -> None:
    """Switches off what would reach for Stable Diffusion's parts."""
    p.do_not_reload_embeddings = True
    p.disable_extra_networks = True
    p.tiling = False
    if p.refiner_checkpoint not in (None, "", "None", "none"):
        p.refiner_checkpoint = None
        p.comment("Refiner: Kandinsky has no use for it.")
    known = shared.opts.data_labels
    p.override_settings.update({k: v for k, v in FULL_DECODING.items() if k in known})


def _options_of(p: Any) -> Any:
    """Keeps our own overrides from outliving the run, and the caller's too unless it wants them to
    stay.
    """
    keys = list(FULL_DECODING)
    if p.override_settings_restore_afterwards:
        keys += [key for key in p.override_settings if key not in keys]
    return backend.options_kept(keys)


def _nothing_painted(asked: request.Request) -> Any:
    """Black pictures for a batch that was stopped before its first step: the host needs some, and
    fast.
    """
    black = torch.full((3, asked.height, asked.width), -1.0)
    return processing.DecodedSamples([black.clone() for _ in range(len(asked))])
