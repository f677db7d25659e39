"""What suits a model: offered once on the page, never set unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kandinsky_ext import engine, models
from kandinsky_ext.errors import UserError
from kandinsky_ext.get import known

CFG_SCALE = known.MODELS[0].cfg_scale
"""Of a model that nobody knows."""


@dataclass(frozen=True)
class Suited:
    """Pixels a side, and the CFG scale."""

    size: int
    cfg_scale: float

    @property
    def button(self) -> str:
        """The page's script reads the numbers."""
        return f"Set {self.size} x {self.size}, CFG scale {self.cfg_scale:g}"


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


def offer(name: str, offered: Sequence[str], roots: Sequence[Path]) -> tuple[str, str, list[str]]:
    """For the model that was chosen: a line and the button's label, "" for no offer, and the names
    that had theirs.
    """
    already = list(offered)
    if name in already:
        return "", "", already
    try:
        model = models.choose(name, roots)
    except UserError:
        return "", "", already
    found = suited(model)
    if found is None:
        return "", "", already
    line = (
        f"{model.name} was trained on images of {found.size} x {found.size}; "
        f"recommended CFG scale: {found.cfg_scale:g}."
    )
    return line, found.button, [*already, name]


def demo_line(name: str) -> str:
    """What to say where the demo model stands in."""
    size, cfg = known.DEMO.native_size, known.DEMO.cfg_scale
    return (
        f"There is no Kandinsky model yet, so the small demo model is used ({name}: simple "
        f"shapes, best at {size} x {size} with CFG scale {cfg:g}). Download the real one with "
        "Get models."
    )
