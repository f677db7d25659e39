"""What is always the same in texts with names and numbers in them.

A host translates whole texts of elements, so the page shows each such phrase as an element of its
own, and localizations/ has them like all other texts.
"""

from __future__ import annotations

import html
import re

PRECISION = (
    "precision fp32 was asked for",
    "precision bf16 was asked for",
    "precision fp16 was asked for",
    "this CPU has no instructions for bf16, which would be several times slower",
    "measured here, bf16 is",
    "times as fast as fp32 in convolutions and",
    "times in matrix products",
    "fp16 is fastest on this accelerator",
)
"""Why the engine computes with it, in core/tensor/device.cpp."""
MEMORY = (
    "everything stays loaded",
    "layers are read when they are needed",
    "parts are loaded when they are needed",
)
"""Of a memory plan, in core/pipelines/memory/memory_plan.cpp."""
PROBLEMS = (
    "There is no Kandinsky model. Looked in:",
    "Download one with Get models, below.",
    "Kandinsky needs torch, which this Python does not have.",
    "The Kandinsky engine is not built for torch",
    "and Python",
    "Restart the web UI to build it, or run",
    "which shows what is missing, and press Reload UI.",
    "The Kandinsky engine cannot be loaded:",
    "it was built for torch",
    "but this Python has torch",
    "Install it again with this Python:",
    "in the extension's folder (a restart of the web UI does that) uses a wheel that fits or "
    "builds it;",
    "in the repository builds it.",
)
BUILDING = ("beginning", "configuring", "compiling", "trying the engine", "taking")
"""What an installer says it is at, see install.py."""
DOWNLOADS = (
    "time left:",
    "about",
    "checking",
    "partly:",
    "cannot be downloaded: choose a model.",
    "is being downloaded: wait, or pause it.",
    "is cancelled; unfinished files are removed.",
    "is downloaded to",
    "The refresh button beside the model shows it.",
    "is paused. Download resumes it.",
    "Press Download to try again.",
    "This page is open to others, so models can be downloaded only on the command line:",
)
ALL = (*PRECISION, *MEMORY, *PROBLEMS, *BUILDING, *DOWNLOADS)
_FOUND = re.compile(
    r"(?<!\w)(" + "|".join(map(re.escape, sorted(ALL, key=len, reverse=True))) + r")(?!\w)"
)


def marked(text: str) -> str:
    """HTML of the text, with its phrases as elements."""
    parts = _FOUND.split(text)
    return "".join(
        f"<span>{html.escape(part)}</span>" if place % 2 else html.escape(part)
        for place, part in enumerate(parts)
    )
