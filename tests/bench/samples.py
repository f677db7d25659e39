"""Repeated measurements: their middle, their spread, and the file that keeps them."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass
class Result:
    """What one competitor took for one piece of work.

    times: how often the piece that was measured occurs in the work, as in 25 steps of which each
    sample is one.
    """

    samples: list[float] = field(default_factory=list)
    times: int = 1
    more: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.samples) * self.times

    @property
    def spread(self) -> float:
        """Half of the samples' range, relative to their median; 0 for a single sample."""
        middle = statistics.median(self.samples)
        return (max(self.samples) - min(self.samples)) / 2 / middle if middle else 0.0

    def add(self, answer: dict[str, Any]) -> None:
        """Takes over a worker's answer."""
        self.samples += answer["samples"]
        self.times = answer.get("times", 1)
        for name, value in answer.items():
            if name not in ("samples", "times"):
                self.more.setdefault(name, []).append(value)


@dataclass
class Part:
    """One piece of work and what each competitor took for it, in one run, by turns."""

    name: str
    title: str
    unit: str = "s"
    size: int = 0  # pixels of a side
    batch: int = 1
    steps: int = 0
    flop: float = 0.0  # of the work, where it was counted
    rate: float = 0.0  # the machine's best convolution in the same minutes, FLOP/s
    date: str = ""
    load_average: float = 0.0  # before the part began: other work on the machine
    commit: str = ""
    engine: dict[str, Any] = field(default_factory=dict)  # how ours was opened, if not as it comes
    threads: int = 0  # of everybody; 0: torch's own choice
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def options(self) -> str:
        """What was not as it comes, as the bench was told: "--without winograd --threads 1"."""
        told = [f"--without {name}" for name in self.engine.get("without", [])]
        if "precision" in self.engine:
            told.append(f"--precision {self.engine['precision']}")
        if self.threads:
            told.append(f"--threads {self.threads}")
        return " ".join(told)


@dataclass
class Measurements:
    """Everything that is known about one machine and one model."""

    machine: dict[str, Any]
    model: str
    family: str = "2.1"
    rates: dict[str, float] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"Kandinsky {self.family}, {self.model}"

    @property
    def faster_type(self) -> str:
        """In which this machine's best convolution is faster: "bf16" or "fp32"."""
        bf16, fp32 = (self.rates.get(f"convolution {dtype}", 0.0) for dtype in ("bf16", "fp32"))
        return "bf16" if bf16 >= fp32 else "fp32"

    def median(self, part: str, competitor: str) -> float | None:
        """None where it was not measured."""
        results = self.parts[part].results if part in self.parts else {}
        found = results.get(competitor)
        return found.median if found and found.samples else None

    def save(self, path: Path) -> None:
        content = {"format": FORMAT, **asdict(self)}
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Measurements:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format", None) != FORMAT:
            raise ValueError(f"{path} was written by another version of the bench")
        parts = content.pop("parts")
        # Files used to name one commit for all parts.
        commit = content["versions"].pop("repository", {}).get("commit", "")
        for part in parts.values():
            part.setdefault("commit", commit)
            part["results"] = {name: Result(**value) for name, value in part["results"].items()}
        return cls(parts={name: Part(**part) for name, part in parts.items()}, **content)
