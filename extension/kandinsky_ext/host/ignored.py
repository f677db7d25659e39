"""Settings of the host's own sampling that do nothing here, so that a run can name them."""

from __future__ import annotations

import math
from typing import Any

from modules import shared

SETTINGS = (
    *("CLIP_stop_at_last_layers", "eta_ddim", "eta_ancestral", "eta_noise_seed_delta"),
    *("sigma_min", "sigma_max", "rho", "token_merging_ratio"),
    *("skip_early_cond", "beta_dist_alpha", "beta_dist_beta"),
    *("uni_pc_order", "uni_pc_skip_type", "uni_pc_variant"),
    "sd_lora",
)
FIELDS = ("s_min_uncond", "s_churn", "s_tmin", "s_tmax", "s_noise")
"""Settings that the host puts into fields of the same names, where a caller gave none."""
OF_IMG2IMG = ("token_merging_ratio_img2img",)
OF_HIRES = ("token_merging_ratio_hr",)
OF_BOTH = ("img2img_extra_noise",)
OF_THE_MODEL = {"sd_model_checkpoint": "Checkpoint", "sd_vae": "VAE"}
"""Named where a run inside a run asks for them: a whole run chooses its model in our script."""
NO_MODEL = (None, "", "None", "Automatic")
ETA = "Eta"


def remark(p: Any, *, is_inside: bool = False) -> str | None:
    """Names, as the settings page does, what is set for this run and has no effect on it.

    For a time when the host's options are those of the run. is_inside: it is inside another.
    """
    names = [_label(key) for key in _set(p)]
    if is_inside:
        asked = p.override_settings or {}
        names += [name for key, name in OF_THE_MODEL.items() if asked.get(key) not in NO_MODEL]
    etas = [shared.opts.get_default(key) for key in ("eta_ddim", "eta_ancestral")]
    # Only a caller gives one for whatever the sampler. Many give a default one.
    if getattr(p, "eta", None) not in (None, *etas):
        names.append(ETA)
    return f"Settings: Kandinsky ignores {', '.join(names)}." if names else None


def _set(p: Any) -> list[str]:
    img2img, hires = bool(getattr(p, "init_images", None)), bool(getattr(p, "enable_hr", False))
    keys = (
        *SETTINGS,
        *(OF_IMG2IMG if img2img else ()),
        *(OF_HIRES if hires else ()),
        *(OF_BOTH if img2img or hires else ()),
    )
    found = [key for key in keys if _differs(key, getattr(shared.opts, key, None))]
    return found + [key for key in FIELDS if _differs(key, _field(p, key))]


def _field(p: Any, key: str) -> Any:
    """Some hosts fill their fields later than A1111, or not at all."""
    given = getattr(p, key, None)
    return getattr(shared.opts, key, None) if given is None else given


def _differs(key: str, value: Any) -> bool:
    """A host that lacks the setting has nothing to tell; infinity is what it makes of 0."""
    if value is None or key not in shared.opts.data_labels or value == math.inf:
        return False
    return bool(value != shared.opts.get_default(key))


def _label(key: str) -> str:
    return str(shared.opts.data_labels[key].label or key)
