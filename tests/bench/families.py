"""The model families that can be measured, and what of each is by default."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from work import GROUPS

ROOT = Path(__file__).resolve().parents[2]
INDEX = "model_index.json"


@dataclass(frozen=True)
class Family:
    """names: of the classes in model_index.json, and of the decoder's folder of full size."""

    name: str
    decoder: str
    prior: str
    full_size: str
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    output: Path

    def prior_beside(self, model: Path) -> Path:
        """The folder beside the decoder that holds its prior; of several, the one whose name has
        most in common with the decoder's, as the engine chooses.
        """
        found = [
            folder
            for folder in sorted(model.parent.iterdir())
            if pipeline_class(folder) == self.prior
        ]
        if not found:
            raise SystemExit(f"--model: there is no {self.prior} beside {model}")
        own = f"{model.name}-prior"
        return max(found, key=lambda folder: _common_start(folder.name, own))


def _common_start(one: str, other: str) -> int:
    """How many characters are alike."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "2.1",
            "KandinskyPipeline",
            "KandinskyPriorPipeline",
            "kandinsky-2-1",
            GROUPS,
            (512, 768, 1024),
            ROOT / "build/bench",
        ),
        # What it does not share with 2.1, and the sizes that it was trained for.
        Family(
            "2.2",
            "KandinskyV22Pipeline",
            "KandinskyV22PriorPipeline",
            "kandinsky-2-2-decoder",
            ("text", "prior", "unet", "memory"),
            (512, 768),
            ROOT / "build/bench-2.2",
        ),
    )
}


def pipeline_class(folder: Path) -> str:
    """As the folder's index has it; empty where it has none."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(index.get("_class_name", "")) if isinstance(index, dict) else ""


def family_of(model: Path) -> Family:
    """The family of a decoder's folder."""
    found = pipeline_class(model)
    for family in FAMILIES.values():
        if family.decoder == found:
            return family
    known = ", ".join(family.decoder for family in FAMILIES.values())
    raise SystemExit(
        f"--model: {model} is no folder of a decoder that can be measured ({known})"
        + (f", but of {found}" if found else "")
    )
