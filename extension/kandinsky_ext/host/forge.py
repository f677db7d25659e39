"""What hosts that keep a model's networks in `forge_objects`, such as Forge and reForge, ask of one
beyond what A1111 asks.

Such a host has `apply_circular_forge` in its loop. In others nothing here has an effect.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from modules import processing, sd_models, sd_vae_approx, shared

MODEL_KEY = "Model"
"""The host's own. Ours, which tells the same, is another."""
Replacement = tuple[Any, str, Any]
"""A module, the name of one of its functions, and what stands there during a run."""


def is_host() -> bool:
    return hasattr(processing, "apply_circular_forge")


def takes_model_for_checkpoint() -> bool:
    """Whether a pasted "Model" asks the host for a checkpoint of this name. It fails on one where
    there is no checkpoint at all.
    """
    option = shared.opts.data_labels.get("sd_model_checkpoint")
    return getattr(option, "infotext", None) == MODEL_KEY


class _Unchangeable:
    """What other extensions patch. Those that want more than is there are told so on the host's
    console, and the run goes on without them.
    """

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Kandinsky has no UNet that other extensions can change ({name})")


class _Sampling(_Unchangeable):
    """Noise levels that the host rescales for "Zero Terminal SNR". The engine has its own."""

    def __init__(self) -> None:
        self.sigmas = torch.ones(2)

    def set_sigmas(self, _sigmas: torch.Tensor) -> None:
        """Nothing: see above."""


class _Network(_Unchangeable):
    def __init__(self) -> None:
        self.device = torch.device("cpu")
        # Two hosts, two names.
        self.model_sampling = self.predictor = _Sampling()


class _UNet(_Unchangeable):
    def __init__(self) -> None:
        self.model = _Network()

    def clone(self) -> _UNet:
        """Many extensions want one also where they are switched off."""
        return copy.copy(self)


class _Decoder:
    latent_channels = 4


class _Objects:
    """The host copies them before each batch and each pass."""

    clip = clipvision = None

    def __init__(self) -> None:
        self.unet = _UNet()
        self.vae = _Decoder()

    def shallow_copy(self) -> _Objects:
        return copy.copy(self)


def extend(facade: Any, before: Any) -> None:
    """Gives a facade the attributes that such a host touches.

    before: the host's model that the facade stands for, or what the host has where it has none.
    """
    facade.forge_objects = _Objects()
    facade.forge_objects_original = _Objects()
    facade.forge_objects_after_applying_lora = _Objects()
    facade.alphas_cumprod = torch.ones(2)
    facade.model_config = None
    facade.is_inpaint = facade.use_distilled_cfg_scale = facade.tiling_enabled = False
    # Of video, and of flow models.
    facade.is_wan = facade.use_shift = False
    facade.set_shift = lambda shift: None
    facade.fix_dimensions = lambda width, height: (width, height)
    facade.comments = []
    facade.extra_generation_params = {}
    facade.set_clip_skip = lambda _layers: None
    facade.is_webui_legacy_model = lambda: False
    # The page counts tokens also during a run.
    facade.get_prompt_lengths_on_ui = getattr(before, "get_prompt_lengths_on_ui", None)


def replacements(facade: Any) -> list[Replacement]:
    def nothing(*_args: Any, **_kwargs: Any) -> None:
        """Would change the layers, or the noise levels, of a model that is not there."""

    def apply_circular_forge(*_args: Any, **_kwargs: Any) -> None:
        """The host enters no `ema_scope`. This it calls at the same time: when its options are
        those of the run.
        """
        facade.job.started()

    def approximate_decoder() -> Callable[[torch.Tensor], torch.Tensor]:
        """The host wants it at hand for its previews, and may have to fetch it from the net."""
        decode: Callable[[torch.Tensor], torch.Tensor] = facade.decode_first_stage
        return decode

    def forge_model_reload() -> tuple[Any, bool]:
        return facade, False

    found = [
        (processing, "apply_circular_forge", apply_circular_forge),
        (processing, "apply_token_merging", nothing),
        (processing, "forge_model_reload", forge_model_reload),
        (sd_models, "forge_model_reload", forge_model_reload),
        (sd_models, "apply_alpha_schedule_override", nothing),
        (sd_models, "select_checkpoint", _selected_if_any(sd_models.select_checkpoint)),
        (sd_vae_approx, "model", approximate_decoder),
    ]
    return [entry for entry in found if hasattr(entry[0], entry[1])]


def _selected_if_any(select: Callable[[], Any]) -> Callable[[], Any]:
    """For hires. fix, which only asks whether the model in use is the one selected."""

    def select_checkpoint() -> Any:
        try:
            return select()
        except FileNotFoundError:
            return None

    return select_checkpoint
