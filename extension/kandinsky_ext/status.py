"""What the page says of the engine: what is loaded, and what stands in the way."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Protocol

from kandinsky_ext import engine, models
from kandinsky_ext.controls import LABELS
from kandinsky_ext.engine import OpenEngine, keeper
from kandinsky_ext.loading import size
from kandinsky_ext.phrases import marked

CHANGES = {"loras": "Lora", **LABELS}
"""What the page calls an engine's options that change a model's weights."""


class HostTools(Protocol):
    """What this needs from the host."""

    def model_roots(self) -> list[Path]:
        """The folders that hold models."""

    def is_demo(self, folder: Path) -> bool:
        """Whether this is the shipped demo model."""


def problem(tools: HostTools) -> str | None:
    """What stands in the way of an image, and what to do."""
    found = engine.problem()
    if found is not None:
        return found
    roots = tools.model_roots()
    if not models.find(roots):
        places = ", ".join(str(root) for root in roots)
        return (
            f"There is no Kandinsky model. Looked in: {places}. "
            "Download one with Get models, below."
        )
    return None


def demo_stands_in(tools: HostTools) -> models.Model | None:
    """The demo model, where "Automatic" finds no other."""
    first = next(iter(models.find(tools.model_roots())), None)
    return first if first is not None and tools.is_demo(first.folder) else None


def model_name(opened: OpenEngine, tools: HostTools) -> str:
    """What the page calls the model that is open."""
    folder = opened.key.model_dir
    names = [model.name for model in models.find(tools.model_roots()) if model.folder == folder]
    return names[0] if names else folder.name


def line(tools: HostTools, *said: str) -> str:
    """The status line. said: what has just happened."""
    wrong = problem(tools)
    building = engine.building() if wrong is not None else None
    if building is not None:
        return _line("busy", ["<b>The engine is being built</b>"], [building])
    if wrong is not None:
        return _line("wrong", [f"<b>{marked(wrong)}</b>"], [*said])
    opened = keeper.opened()
    if opened is None:
        return _line("off", ["<b>Not loaded</b>"], [*said, "The next image loads the model first."])
    info = opened.engine.info
    facts = [
        f"<b>{html.escape(model_name(opened, tools))}</b>",
        "<span>loaded</span>",
        f"<span>{html.escape(info.device.upper())}</span>",
        f"<span>{html.escape(info.precision)}</span>",
    ]
    facts += [
        f"<span><span>{html.escape(CHANGES[option])}</span>: {html.escape(what)}</span>"
        for option, what in opened.changes().items()
    ]
    remarks = [*said, f"{info.precision}: {info.reason}."]
    if opened.memory is not None:
        facts.append(f"<span><span>memory:</span> {size(opened.memory.peak)}</span>")
        how, _, _ = opened.memory.text.partition(",")
        remarks.append(f"{size(opened.memory.peak)}: {how}.")
    return _line("on", facts, remarks)


def _line(state: str, facts: list[str], remarks: list[str]) -> str:
    below = "".join(f"<span>{marked(remark)}</span>" for remark in remarks if remark)
    return (
        f'<div class="kandinsky-status kandinsky-{state}">'
        f'<p class="kandinsky-facts">{"".join(facts)}</p>'
        f'<p class="kandinsky-remarks">{below}</p></div>'
    )
