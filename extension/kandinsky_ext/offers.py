"""What suits a model: offered once on the page, never set unasked.

The page translates whole texts of elements, so what it is to translate is an element of its own,
without names and numbers.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kandinsky_ext import engine, models
from kandinsky_ext.get import known

CFG_SCALE = known.MODELS[0].cfg_scale
"""Of a model that nobody knows."""
BUTTON = "Set size and CFG scale"
NO_MODEL = "There is no Kandinsky model yet, so the small demo model is used."
GET_ONE = "Download the real one with Get models."


@dataclass(frozen=True)
class Suited:
    """Pixels a side, and the CFG scale."""

    size: int
    cfg_scale: float

    def line(self, *before: str, after: str = "") -> str:
        """Between texts of elements; the page's script reads the numbers."""
        return (
            f'<p class="kandinsky-offer-line" data-size="{self.size}" '
            f'data-cfg="{self.cfg_scale:g}">{" ".join(before)} <span>Trained on images of</span> '
            f"<b>{self.size} x {self.size}</b>. <span>Recommended CFG scale:</span> "
            f"<b>{self.cfg_scale:g}</b>. {after}</p>"
        )


DEMO = Suited(known.DEMO.native_size, known.DEMO.cfg_scale)


def suited(model: models.Model) -> Suited | None:
    """By the table of known models, or else by what the engine reads of the folder."""
    of_table = known.of_folder(model.own_name)
    if of_table is not None:
        return Suited(of_table.native_size, of_table.cfg_scale)
    try:
        package = engine.load_package()
    except engine.EngineUnavailableError:
        return None
    try:
        size = int(package.describe_folder(str(model.folder)).native_size)
    except package.KandinskyError:
        # A run says what is wrong with it.
        return None
    return Suited(size, CFG_SCALE) if size else None


def offer(name: str, offered: Sequence[str], roots: Sequence[Path]) -> tuple[str, list[str]]:
    """For the model that was chosen: a line, "" for no offer, and the names of the models that had
    theirs.
    """
    already = list(offered)
    model = models.look_up(name, roots)
    if model is None or model.name in already:
        return "", already
    found = suited(model)
    if found is None:
        return "", already
    return found.line(f"<b>{html.escape(model.name)}</b>:"), [*already, model.name]


def demo_line() -> str:
    """What the page says where the demo model stands in."""
    return DEMO.line(f"<span>{NO_MODEL}</span>", after=f"<span>{GET_ONE}</span>")


def demo_remark(name: str) -> str:
    """The same below an image."""
    return (
        f"{NO_MODEL} {name} is best at {DEMO.size} x {DEMO.size} with CFG scale "
        f"{DEMO.cfg_scale:g}. {GET_ONE}"
    )
