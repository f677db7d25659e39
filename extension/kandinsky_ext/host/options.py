"""Our part of the host's settings page: what holds for all runs on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gradio as gr
from modules import script_callbacks, shared

MAX_MEMORY = "kandinsky_max_memory"
IDLE_MINUTES = "kandinsky_idle_minutes"
KEEP = -1
"""Minutes that never end."""
SECTION = ("kandinsky", "Kandinsky")
GIGABYTE = 1_000_000_000
MOST = 1024
LONGEST_IDLE = 365 * 24 * 60
"""In minutes; a timer takes no endless time."""


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    script_callbacks.on_ui_settings(_add)


def _add() -> None:
    shared.opts.add_option(
        MAX_MEMORY,
        shared.OptionInfo(
            0,
            "Memory limit for Kandinsky in GB, libraries included; 0: what is free. Below what the "
            "whole model needs, it is loaded one stage at a time, or read layer by layer",
            gr.Number,
            {"minimum": 0, "maximum": MOST},
            section=SECTION,
        ),
    )
    shared.opts.add_option(
        IDLE_MINUTES,
        shared.OptionInfo(
            KEEP,
            "Minutes that Kandinsky stays loaded after a run; 0: unload it after each run; "
            "-1: keep it until it is unloaded",
            gr.Number,
            {"minimum": KEEP},
            section=SECTION,
        ),
    )


def idle_minutes() -> float:
    """After which the engine is closed; less than 0: never. A value that is no number counts as
    never.
    """
    try:
        minutes = float(getattr(shared.opts, IDLE_MINUTES, KEEP))
    except (TypeError, ValueError):
        return KEEP
    return min(minutes, LONGEST_IDLE) if minutes >= 0 else KEEP


def max_memory(overrides: Mapping[str, Any]) -> int:
    """In bytes; 0: what is free. A value that is no size counts as 0.

    overrides: what a run overrides. The model is opened before the host has put it in place.
    """
    set_here = getattr(shared.opts, MAX_MEMORY, 0)
    try:
        gigabytes = float(overrides.get(MAX_MEMORY, set_here) or 0)
    except (TypeError, ValueError):
        return 0
    # Also what a hand wrote into the host's file.
    return int(gigabytes * GIGABYTE) if math.isfinite(gigabytes) and 0 < gigabytes <= MOST else 0
