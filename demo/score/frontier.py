"""Measures what quicker ways to sample cost and how good their images are, for the presets.

    .venv/bin/python demo/score/frontier.py             # all candidates, some 40 minutes
    .venv/bin/python demo/score/frontier.py --only presets
    .venv/bin/python demo/score/frontier.py --publish   # writes docs/presets.md and its plot

Cost is counted, in guided steps of the UNet. Quality is the distance of the decoded images to those
of 200 steps from the same noise and embeddings, which is where all samplers without noise of their
own arrive: as PSNR, and as the angle between the model's image embeddings of both; and, of presets,
the share of images that show what the prompt says, of prompts that training never drew. Candidates
that were measured before are not measured again, unless --fresh is given.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "train"), str(ROOT / "build/python")]

import checks  # noqa: E402
import prompts  # noqa: E402

import kandinsky_engine as kandinsky  # noqa: E402

NUMBERS = ROOT / "docs/performance/frontier.json"
PLOT = ROOT / "docs/performance/frontier.png"
PAGE = ROOT / "docs/presets.md"
MODEL = ROOT / "demo/model/kandinsky-demo"
SOLUTION = {"sampler": "DPM++ 2M", "scheduler": "Exponential", "num_inference_steps": 200}
EXACT = {"sampler": "DPM++ 2M", "num_inference_steps": 20}
"""What a preset is compared with: the usual way, with nothing approximated."""
SIZES = ((96, 96), (64, 96))
SEEDS = (1, 2)
PROMPTS = 4
JUDGED = 128
BATCH = 16

# Of a full-size model, 512 px, bf16 on two cores: docs/performance.md.
STEP, PRIOR_STEP, REST = 1.05, 1.39 / 25, 0.11 + 1.42
REUSED = 0.21 / 1.03

Options = dict[str, Any]


def candidates() -> dict[str, Options]:
    """By name: sampler and schedule at several numbers of steps, and approximations on top."""
    found: dict[str, Options] = {}

    def add(sampler: str, scheduler: str, steps: int, **more: Any) -> None:
        words = [f"{sampler}, {scheduler}, {steps}"]
        words += [f"{name} {value}" for name, value in more.items()]
        found[", ".join(words)] = {
            "sampler": sampler, "scheduler": scheduler, "num_inference_steps": steps, **more
        }  # fmt: skip

    for steps in (4, 5, 6, 8, 9, 10, 12, 15, 20):
        for sampler in ("Euler", "DPM++ 2M"):
            add(sampler, "Optimized", steps)
        for scheduler in ("SGM Uniform", "KL Optimal", "Align Your Steps", "Karras"):
            add("DPM++ 2M", scheduler, steps)
        add("UniPC", "Automatic", steps)
        add("DDIM", "Automatic", steps)
    for steps in (12, 15, 20):
        for warmup in (2, 4):
            add("DPM++ 2M", "Optimized", steps, forecast=True, forecast_warmup=warmup)
    for sampler, steps in (("Euler", 4), ("Euler", 6), ("Euler", 8), ("DPM++ 2M", 10)):
        for end in (0.5, 0.7):
            add(sampler, "Optimized", steps, guidance_end=end)
        add(sampler, "Optimized", steps, cache_interval=2)
    return found


@dataclass
class Measured:
    """Of one candidate. right is None where nobody judged."""

    options: Options
    psnr: float
    angle: float
    right: tuple[int, int] | None = None


class Bench:
    """The demo model, and the solutions that candidates are compared with."""

    def __init__(self) -> None:
        self.engine = kandinsky.Engine(str(MODEL), device="cpu", precision="fp32")
        asked = [one.prompt for one in prompts.singles("en", PROMPTS - 1)] + [
            prompts.COMPOSITIONS[0]
        ]
        self.texts = [text for text in asked for _ in SEEDS]
        self.seeds = [100 * i + seed for i in range(len(asked)) for seed in SEEDS]
        self.embeds = self.engine.encode_prompts(self.texts, seeds=self.seeds)
        self.solutions = {size: self.images(size, SOLUTION) for size in SIZES}

    def images(self, size: tuple[int, int], options: Options) -> list[np.ndarray]:
        width, height = size
        latents = self.engine.denoise(
            *self.embeds, seeds=self.seeds, width=width, height=height, **options
        )
        return list(self.engine.decode(latents, width=width, height=height))

    def measure(self, options: Options) -> Measured:
        psnrs, angles = [], []
        for size, solutions in self.solutions.items():
            images = self.images(size, options)
            psnrs += [psnr(a, b) for a, b in zip(images, solutions, strict=True)]
            angles += list(self.angles(images, solutions))
        return Measured(options, float(np.median(psnrs)), float(np.mean(angles)))

    def angles(self, images: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
        """Degrees between the image embeddings of each pair."""
        both = [self.engine.encode_images(part).tensor("image_embeds") for part in (images, others)]
        a, b = (rows / np.linalg.norm(rows, axis=-1, keepdims=True) for rows in both)
        return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))

    def judge(self, options: Options) -> tuple[int, int]:
        """Images that are right, of how many: single things and pairs, at the model's own size."""
        asked = [
            one
            for language in ("en", "ru")
            for one in prompts.singles(language, JUDGED // 4) + prompts.pairs(language, JUDGED // 4)
        ]
        images: list[np.ndarray] = []
        for start in range(0, len(asked), BATCH):
            part = [one.prompt for one in asked[start : start + BATCH]]
            images += list(
                self.engine.text_to_image(
                    part, seeds=[1000 + start + i for i in range(len(part))],
                    width=128, height=128, **options,
                )
            )  # fmt: skip
        return checks.share(result.right for result in checks.judged(asked, images))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-4)))


def cost(options: Options) -> float:
    """Guided steps that take as long. Half of one is without guidance, forecasts are free, and of
    steps that reuse features docs/performance.md says what they take.
    """
    steps = options["num_inference_steps"]
    end = options.get("guidance_end", 1.0)
    interval = options.get("cache_interval", 1)
    total = 0.0
    for step in computed_steps(options):
        share = 1.0 if (step + 1) / steps <= end else 0.5
        total += share if step % interval == 0 else share * REUSED
    return total


def computed_steps(options: Options) -> list[int]:
    """Those that are not forecast; core/pipelines/denoise/forecast.cpp."""
    steps = options["num_inference_steps"]
    if not options.get("forecast"):
        return list(range(steps))
    computed, interval, in_a_row = [], 2.0, 0
    warmup = options["forecast_warmup"]
    for step in range(steps):
        due = (in_a_row + 1) % int(interval) == 0
        if len(computed) < warmup or step >= int(0.9 * steps) or due:
            interval += 0.5 if len(computed) >= warmup else 0.0
            computed.append(step)
            in_a_row = 0
        else:
            in_a_row += 1
    return computed


def named() -> dict[str, Options]:
    """The presets, and what they are compared with."""
    options = {name: dict(values) for name, values in kandinsky.presets().items()}
    options["exact"] = EXACT
    return options


def measure_all(only: Sequence[str], fresh: bool) -> None:
    numbers: dict[str, Any] = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    bench = Bench()
    chosen = {
        "candidates": candidates() if "candidates" in only else {},
        "presets": named() if "presets" in only else {},
    }
    for kind, entries in chosen.items():
        kept = numbers.setdefault(kind, {})
        for gone in set(kept) - set(entries) if entries else ():
            del kept[gone]
        for i, (name, options) in enumerate(entries.items(), 1):
            if not fresh and kept.get(name, {}).get("options") == options:
                continue
            decoder = {k: v for k, v in options.items() if not k.startswith("prior")}
            found = bench.measure(decoder)
            found.options = options
            if kind == "presets":
                found.right = bench.judge(options)
            kept[name] = asdict(found)
            print(
                f"{i} of {len(entries)}: {name}: {found.psnr:.1f} dB, {found.angle:.1f} degrees, "
                f"{found.right}",
                flush=True,
            )
            NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")


def seconds(entry: dict[str, Any]) -> float:
    """Of a whole image by a full-size model, at 512 px, in bf16 on two cores."""
    prior = entry["options"].get("prior_num_inference_steps", 25)
    return cost(entry["options"]) * STEP + prior * PRIOR_STEP + REST


def on_frontier(entries: dict[str, Any]) -> list[str]:
    """Names of those that none is both cheaper and nearer than, by cost."""
    best, names = -np.inf, []
    for name, entry in sorted(entries.items(), key=lambda item: cost(item[1]["options"])):
        if entry["psnr"] > best:
            best = entry["psnr"]
            names.append(name)
    return names


def tables(numbers: dict[str, Any]) -> str:
    lines = [
        "| preset | options | guided steps | whole image, estimated | PSNR | angle | right |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, entry in numbers["presets"].items():
        # The preset itself changes nothing.
        shown = "a web UI's usual setting" if name == "exact" else name
        said = ", ".join(f"`{k}` {v}" for k, v in entry["options"].items())
        right, asked = entry["right"]
        lines.append(
            f"| {shown} | {said} | {cost(entry['options']):.1f} | {seconds(entry):.0f} s "
            f"| {entry['psnr']:.1f} dB | {entry['angle']:.1f}° "
            f"| {100 * right / asked:.1f} % of {asked} |"
        )
    lines += [
        "",
        "Candidates on the Pareto front: no other one is both cheaper and closer to the exact "
        "image:",
        "",
        "| candidate | guided steps | PSNR | angle |",
        "|---|---:|---:|---:|",
    ]
    for name in on_frontier(numbers["candidates"]):
        entry = numbers["candidates"][name]
        steps = cost(entry["options"])
        lines.append(f"| {name} | {steps:.1f} | {entry['psnr']:.1f} dB | {entry['angle']:.1f}° |")
    return "\n".join(lines)


def plot(numbers: dict[str, Any]) -> None:
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(8, 5))
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in numbers["candidates"].values():
        options = entry["options"]
        more = set(options) - {"sampler", "scheduler", "num_inference_steps"}
        kind = f"{options['sampler']}, {options['scheduler']}"
        if more:
            kind = " and ".join(sorted(name for name in more if name != "forecast_warmup"))
        groups.setdefault(kind, []).append(entry)
    for kind, entries in groups.items():
        entries.sort(key=lambda entry: cost(entry["options"]))
        x, y = [cost(e["options"]) for e in entries], [e["psnr"] for e in entries]
        axes.plot(x, y, "." if "," not in kind else ".-", label=kind, linewidth=0.8, markersize=5)
    for name, entry in numbers["presets"].items():
        axes.plot(cost(entry["options"]), entry["psnr"], "k*", markersize=11)
        axes.annotate(
            f" {name}", (cost(entry["options"]), entry["psnr"]), va="bottom", weight="bold"
        )
    axes.set_xlabel("cost, in guided steps of the UNet")
    axes.set_ylabel("PSNR to the solution in 200 steps, dB")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)


def publish() -> None:
    numbers = json.loads(NUMBERS.read_text())
    begin, end = "<!-- frontier -->", "<!-- /frontier -->"
    page = PAGE.read_text()
    before, after = page.split(begin)[0], page.split(end)[1]
    PAGE.write_text(f"{before}{begin}\n{tables(numbers)}\n{end}{after}")
    plot(numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=["candidates", "presets"],
                        default=["candidates", "presets"])  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    parser.add_argument("--publish", action="store_true", help="write the page and the plot")
    arguments = parser.parse_args()
    if arguments.publish:
        publish()
    else:
        measure_all(arguments.only, arguments.fresh)


if __name__ == "__main__":
    main()
