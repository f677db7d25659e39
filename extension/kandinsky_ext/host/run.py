"""One run of the script: the host's own loop, with Kandinsky in force."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules import images, processing, shared

from kandinsky_ext import choose_sampler, infotext, mixing, models, request
from kandinsky_ext.controls import Settings
from kandinsky_ext.engine import EngineKey, keeper
from kandinsky_ext.errors import UserError
from kandinsky_ext.host import backend, pictures, prompts, tools
from kandinsky_ext.host.job import RunJob

FULL_DECODING = {"sd_vae_decode_method": "Full", "sd_vae_encode_method": "Full"}
"""Else a user's choice of TAESD would decode our latents with Stable Diffusion's little decoder."""
HIRES_DENOISING = 0.75
"""The host's own default, which its API leaves out."""
NO_CHECKPOINT = (None, "", "None", "none", "Use same checkpoint")


def run(p: Any, settings: Settings) -> Any:
    """Paints what `p` asks for and returns the host's Processed.

    Raises UserError for what cannot be painted, and the engine's own errors; the host shows either.
    """
    if getattr(shared.opts, "onnx_enable", False):
        raise UserError("Kandinsky cannot run while ONNX is on: switch it off in Settings > ONNX.")
    model = models.choose(settings.model, tools.model_roots())
    mix = _mix(p, settings)
    device, device_remark = tools.device()
    shared.state.textinfo = "Kandinsky: opening the model"
    opened = keeper.get(EngineKey(model.folder, device, settings.precision))
    chosen = choose_sampler.choose(
        p.sampler_name,
        getattr(p, "scheduler", None),
        settings,
        samplers=opened.package.samplers(),
        schedulers=opened.package.schedulers(),
    )
    size_remark = request.size_remark(p.width, p.height, opened.engine.info.native_size)
    for remark in (device_remark, size_remark, *chosen.remarks):
        if remark is not None:
            p.comment(remark)
    try:
        with _prepared(p) as tiling:
            infotext.write(
                p.extra_generation_params,
                settings,
                chosen=chosen,
                model=model.name,
                precision=opened.engine.info.precision,
                host_noise=request.uses_host_noise(p),
                tiling=tiling,
                emphasis=prompts.emphasis(),
                mix=mix,
            )
            job = RunJob(
                p,
                opened,
                settings,
                model_name=model.name,
                chosen=chosen,
                mix=mix,
                tiling=tiling,
            )
            with _options_of(p), backend.in_force(job):
                return processing.process_images(p)
    finally:
        shared.state.textinfo = None


def _mix(p: Any, settings: Settings) -> mixing.Mix | None:
    if not settings.mix:
        return None
    labels = mixing.LABELS
    background = getattr(shared.opts, "img2img_background_color", "#ffffff")
    return mixing.make(
        settings,
        picture_2=pictures.read(labels["mix_picture_2"], settings.mix_picture_2),
        picture_1=pictures.read(labels["mix_picture_1"], settings.mix_picture_1),
        init_images=[
            images.flatten(picture, background) for picture in getattr(p, "init_images", None) or []
        ],
    )


@contextmanager
def _prepared(p: Any) -> Iterator[bool]:
    """Switches off what would reach for Stable Diffusion's parts. Gives whether the picture shall
    be tileable, which the host is told again afterwards.
    """
    p.do_not_reload_embeddings = True
    p.disable_extra_networks = True
    for field, name in (("refiner_checkpoint", "Refiner"), ("hr_checkpoint_name", "Hires")):
        if getattr(p, field, None) not in NO_CHECKPOINT:
            setattr(p, field, None)
            p.comment(f"{name} checkpoint: Kandinsky has no use for it.")
    if getattr(p, "enable_hr", False) and p.denoising_strength is None:
        p.denoising_strength = HIRES_DENOISING
    known = shared.opts.data_labels
    p.override_settings.update({k: v for k, v in FULL_DECODING.items() if k in known})
    asked = p.tiling
    tiling = bool(getattr(shared.opts, "tiling", False) if asked is None else asked)
    p.tiling = False
    try:
        yield tiling
    finally:
        p.tiling = asked


def _options_of(p: Any) -> Any:
    """Keeps our own overrides from outliving the run, and the caller's too unless it wants them to
    stay.
    """
    keys = list(FULL_DECODING)
    if p.override_settings_restore_afterwards:
        keys += [key for key in p.override_settings if key not in keys]
    return backend.options_kept(keys)
