"""Names that the engine knows."""

from __future__ import annotations

SAMPLERS = {
    "DDIM": "",
    "DDPM": "",
    "Euler": "Uniform",
    "Euler a": "Uniform",
    "Heun": "Uniform",
    "LMS": "Uniform",
    "DPM2": "Karras",
    "DPM2 a": "Karras",
    "DPM++ 2S a": "Karras",
    "DPM++ 2M": "Karras",
    "DPM++ SDE": "Karras",
    "DPM++ 2M SDE": "Exponential",
    "DPM++ 3M SDE": "Exponential",
    "UniPC": "",
}
"""And the schedule that "Automatic" is for each; some have levels that no schedule gives."""
SCHEDULERS = [
    *("Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "Beta"),
    *("KL Optimal", "Align Your Steps", "Simple", "Normal", "DDIM", "Optimized"),
]


def samplers() -> dict[str, str]:
    return {name: f"What {name} is." for name in SAMPLERS}


def schedulers() -> dict[str, str]:
    return {name: f"What {name} is." for name in SCHEDULERS}


def presets() -> dict[str, dict[str, bool | int | float | str]]:
    quick = {"sampler": "DPM++ 2M", "scheduler": "Karras", "num_inference_steps": 7}
    return {
        "exact": {},
        "balanced": quick,
        "fast": {**quick, "forecast": True, "prior_num_inference_steps": 10},
        "draft": {**quick, "prior_num_inference_steps": 5},
    }


def families() -> list[str]:
    return ["kandinsky-2-1"]


def levels(sampler: str, scheduler: str) -> str:
    """Names the levels of noise that the two give: equal names, equal levels."""
    if scheduler == "Automatic":
        return SAMPLERS[sampler] or f"{sampler}'s own"
    return scheduler
