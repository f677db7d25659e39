"""Our part of the host's settings page: what holds for all runs on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from modules import script_callbacks, shared

from kandinsky_ext.engine import AUTOMATIC_PRECISION

FOLDERS = "kandinsky_folders"
MAX_MEMORY = "kandinsky_max_memory"
PRECISION = "kandinsky_precision"
WITHOUT = "kandinsky_without"
PREPARED = "kandinsky_prepared_weights"
IDLE_MINUTES = "kandinsky_idle_minutes"
MOVE_HOSTS = "kandinsky_move_sd"
PREVIEWS = "kandinsky_previews_explanation"
ABOUT_PREVIEWS = (
    "Previews: Settings > Live previews holds for Kandinsky, too, except for Live preview method: "
    "Kandinsky has one of its own."
)
KEEP = -1
"""Minutes that never end."""
SECTION = ("kandinsky", "Kandinsky")
GIGABYTE = 1_000_000_000
MOST = 1024
LONGEST_IDLE = 365 * 24 * 60
"""In minutes; a timer takes no endless time."""


@dataclass(frozen=True)
class Setting:
    """A line of the settings page: what is set, and a sentence about it."""

    key: str
    default: Any
    label: str
    about: str
    component: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)


SETTINGS = (
    Setting(
        FOLDERS,
        "",
        "More folders with Kandinsky models",
        "Separated by commas. Each contains models or is a model; models/Kandinsky comes first.",
        gr.Textbox,
    ),
    Setting(
        PRECISION,
        AUTOMATIC_PRECISION,
        "Precision of Kandinsky where the script says Automatic",
        "auto: chosen for the device, on a CPU as measured.",
        # Of a dropdown, some hosts do not show the sentence.
        gr.Radio,
        {"choices": [AUTOMATIC_PRECISION, "fp32", "bf16", "fp16"]},
    ),
    Setting(
        WITHOUT,
        "",
        "Speed-ups that Kandinsky leaves out",
        "Separated by commas, such as winograd; to find a fault. docs/options.md lists all of them."
        " The script's presets choose between speed and quality.",
        gr.Textbox,
    ),
    Setting(
        MAX_MEMORY,
        0,
        "Memory limit for Kandinsky in GB",
        "Libraries included; 0: the free memory. If the whole model needs more, it is loaded one "
        "stage at a time, or read layer by layer.",
        gr.Number,
        {"minimum": 0, "maximum": MOST},
    ),
    Setting(
        PREPARED,
        0,
        "Disk space in GB for faster loading of Kandinsky",
        "0: none. Keeps weights in models/Kandinsky/.prepared in the form in which this machine's "
        "CPU computes with them. A model takes about 7 GB there in bf16, 12 GB in fp32. The folder "
        "may be deleted at any time.",
        gr.Number,
        {"minimum": 0, "maximum": MOST},
    ),
    Setting(
        IDLE_MINUTES,
        KEEP,
        "Minutes that Kandinsky stays loaded after a run",
        "0: unload after each run; -1: stay loaded until unloaded by hand.",
        gr.Number,
        {"minimum": KEEP},
    ),
    Setting(
        MOVE_HOSTS,
        False,
        "Move the Stable Diffusion model to RAM while Kandinsky generates",
        "For a GPU that cannot hold both. After each run Kandinsky is unloaded from the GPU and "
        "the model is moved back, which takes some seconds; the next run loads Kandinsky again.",
        gr.Checkbox,
    ),
)


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    script_callbacks.on_ui_settings(_add)


def _add() -> None:
    for setting in SETTINGS:
        info = shared.OptionInfo(
            setting.default,
            setting.label,
            setting.component,
            dict(setting.arguments),
            section=SECTION,
        )
        shared.opts.add_option(setting.key, info.html(f"<span class='info'>{setting.about}</span>"))
    previews = shared.OptionHTML(ABOUT_PREVIEWS)
    previews.section = SECTION
    shared.opts.add_option(PREVIEWS, previews)


def folders(overrides: Mapping[str, Any]) -> list[Path]:
    """More folders with models."""
    return [Path(word).expanduser() for word in _words(FOLDERS, overrides)]


def precision(wanted: str, overrides: Mapping[str, Any]) -> str:
    """What a run computes in, whose script wants this. overrides: as for max_memory."""
    if wanted != AUTOMATIC_PRECISION:
        return wanted
    set_here = getattr(shared.opts, PRECISION, AUTOMATIC_PRECISION)
    return str(overrides.get(PRECISION, set_here) or AUTOMATIC_PRECISION)


def without(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """Speed-ups to leave out."""
    return tuple(_words(WITHOUT, overrides))


def _words(key: str, overrides: Mapping[str, Any]) -> list[str]:
    """Of a setting with commas."""
    text = overrides.get(key, getattr(shared.opts, key, ""))
    return [word.strip() for word in str(text or "").split(",") if word.strip()]


def moves_hosts_model(overrides: Mapping[str, Any]) -> bool:
    """Whether the host's model is to make room during a run."""
    return bool(overrides.get(MOVE_HOSTS, getattr(shared.opts, MOVE_HOSTS, False)))


def idle_minutes(overrides: Mapping[str, Any]) -> float:
    """After which the engine is closed; less than 0: never. A value that is no number counts as
    never.
    """
    try:
        minutes = float(overrides.get(IDLE_MINUTES, getattr(shared.opts, IDLE_MINUTES, KEEP)))
    except (TypeError, ValueError):
        return KEEP
    return min(minutes, LONGEST_IDLE) if minutes >= 0 else KEEP


def max_memory(overrides: Mapping[str, Any]) -> int:
    """In bytes; 0: what is free. A value that is no size counts as 0.

    overrides: what a run overrides. The model is opened before the host has put it in place.
    """
    return _nbytes(MAX_MEMORY, overrides)


def prepared_weights(overrides: Mapping[str, Any]) -> int:
    """The most bytes that weights in the engine's own form may take on the disk; 0: none are kept.
    Read as max_memory.
    """
    return _nbytes(PREPARED, overrides)


def _nbytes(key: str, overrides: Mapping[str, Any]) -> int:
    """Of a setting in GB."""
    set_here = getattr(shared.opts, key, 0)
    try:
        gigabytes = float(overrides.get(key, set_here) or 0)
    except (TypeError, ValueError):
        return 0
    # Also what a hand wrote into the host's file.
    return int(gigabytes * GIGABYTE) if math.isfinite(gigabytes) and 0 < gigabytes <= MOST else 0
