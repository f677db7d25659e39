"""The host's extra networks: LoRA files are the engine's to merge, others have no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules import paths_internal, shared

from kandinsky_ext import infotext, loras
from kandinsky_ext.engine import OpenEngine
from kandinsky_ext.host import tools

KINDS = ("lora", "lyco")
"""Two words for the same in the hosts."""
OWN_FOLDER = "lora"
ONE_WEIGHT = (
    "Lora: Kandinsky has one weight for a whole file and takes the one that is for the UNet."
)


def merge(p: Any, opened: OpenEngine) -> None:
    """Gives the engine the LoRAs that the prompts of p's pass name, and no others.

    Raises UserError for a weight that is no number, and for a file that does not fit the model.
    """
    named = _named(p)
    others = [kind for kind in named if kind not in KINDS]
    if others:
        p.comment(f"Prompt: Kandinsky ignores {', '.join(f'<{one}:...>' for one in others)}.")
    tags = [loras.read(part.items) for kind in KINDS for part in named.get(kind, ())]
    if any(tag.differs for tag in tags):
        p.comment(ONE_WEIGHT)
    chosen, missing = loras.chosen(tags, files() if tags else [])
    if missing:
        # In the host's words.
        p.comment(f"Lora not found: {', '.join(missing)}")
    opened.merge(chosen)
    infotext.write_loras(
        p.extra_generation_params,
        opened.changes().get("loras"),
        hires=bool(getattr(p, "is_hr_pass", False)),
    )


def folders() -> list[Path]:
    """Where LoRA files lie, whether they are there or not: the host's own folders and, as its files
    win, our own.
    """
    given = shared.cmd_opts
    return [
        Path(getattr(given, "lora_dir", None) or Path(paths_internal.models_path) / "Lora"),
        *(Path(folder) for folder in getattr(given, "lora_dirs", None) or ()),
        *(Path(folder) for folder in [getattr(given, "lyco_dir_backcompat", None)] if folder),
        *(root / OWN_FOLDER for root in reversed(tools.own_roots())),
    ]


def files() -> list[Path]:
    """All of them, with those in folders inside."""
    return [
        Path(name)
        for folder in folders()
        for name in shared.walk_files(str(folder), allowed_extensions=list(loras.SUFFIXES))
    ]


def _named(p: Any) -> Mapping[str, Sequence[Any]]:
    """What the host's parser has taken out of the prompts of the pass that p is at."""
    of_hires = None
    if getattr(p, "is_hr_pass", False):
        of_hires = getattr(p, "hr_extra_network_data", None)
    found = getattr(p, "extra_network_data", None) if of_hires is None else of_hires
    return found or {}
