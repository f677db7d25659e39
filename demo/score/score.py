"""Generates prompts that training never drew and counts what comes out right.

    .venv/bin/python demo/score/score.py
    .venv/bin/python demo/score/score.py --only english pairs --fraction 0.25

Generates through our engine as `make build` leaves it in build/python, or with --through diffusers.
Each section's numbers are kept in build/demo-score/numbers.json, so that sections can be measured
one by one; the table and the contact sheet are written anew after each.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "train"), str(ROOT / "build/python")]

import checks  # noqa: E402
import prompts  # noqa: E402
import report  # noqa: E402
import scenes  # noqa: E402
from backends import Backend, DiffusersBackend, EngineBackend, Images, Settings  # noqa: E402

PLAIN = Settings()


@dataclasses.dataclass
class Job:
    """What every section works with."""

    backend: Backend
    how: Settings
    fraction: float
    make: Callable[..., Any]  # another one, by its precision, how it holds weights, and decoder
    images: Path

    def some(self, count: int) -> int:
        return max(4, round(count * self.fraction))

    def results(
        self, asked: list[prompts.Asked], how: Settings, seeds: int = 2
    ) -> list[checks.Result]:
        """Every prompt with so many seeds."""
        every = [one for one in asked for _ in range(seeds)]
        numbers = [1000 + i for i in range(len(every))]
        return checks.judged(every, self.backend.generate([a.prompt for a in every], numbers, how))

    def keep(self, name: str, images: Images, captions: list[str], columns: int = 8) -> None:
        report.sheet(images, captions, columns).save(self.images / f"{name}.png")

    def show(self, name: str, results: list[checks.Result]) -> None:
        """A sheet of the first images, wrong ones with what is wrong."""
        captions = [
            r.asked.prompt
            + "".join(f" [{point}!]" for point, right in r.points.items() if not right)
            for r in results[:48]
        ]
        self.keep(name, [r.pixels for r in results[:48]], captions)


def _noun(result: checks.Result) -> str | None:
    return result.asked.claims.things[0][0]


def _color(result: checks.Result) -> str | None:
    return result.asked.claims.things[0][1]


def _size(result: checks.Result) -> str | None:
    return result.asked.claims.things[0][2]


def _ground(result: checks.Result) -> str | None:
    ground = result.asked.claims.ground
    if ground is None:
        return None
    return ground[0] if ground[0] == ground[1] else "gradient"


def english(job: Job) -> dict[str, Any]:
    results = job.results(prompts.singles("en", job.some(256)), job.how)
    job.show("english", results)
    return {
        "points": checks.by_point(results),
        "by shape": checks.by_group(results, _noun),
        "by color": checks.by_group(results, _color),
        "by size": checks.by_group(results, _size, "size"),
        "by position": checks.by_group(results, lambda r: r.asked.claims.cell, "position"),
        "by ground": checks.by_group(results, _ground, "ground"),
    }


def russian(job: Job) -> dict[str, Any]:
    results = job.results(prompts.singles("ru", job.some(256)), job.how)
    job.show("russian", results)
    return {"points": checks.by_point(results)}


def languages(job: Job) -> dict[str, Any]:
    out = {}
    for language in ("de", "fr", "es", "zh"):
        results = job.results(prompts.singles(language, job.some(48)), job.how, seeds=1)
        out[language] = checks.by_point(results)
        job.show(f"language-{language}", results)
    return out


def pairs(job: Job) -> dict[str, Any]:
    out = {}
    for language, count in (("en", 96), ("ru", 48)):
        results = job.results(prompts.pairs(language, job.some(count)), job.how)
        job.show(f"pairs-{language}", results)
        out[language] = checks.by_point(results)
        out[f"{language} by relation"] = checks.by_group(
            results, lambda r: r.asked.claims.relation, "relation"
        )
    return out


def sizes(job: Job) -> dict[str, Any]:
    out = {}
    asked = prompts.singles("en", job.some(64))
    for width, height in ((64, 64), (192, 128), (128, 192), (192, 192), (256, 256)):
        how = dataclasses.replace(job.how, width=width, height=height)
        results = job.results(asked, how, seeds=1)
        job.show(f"size-{width}x{height}", results)
        out[f"{width} x {height}"] = checks.by_point(results)
    return out


def compositions(job: Job) -> dict[str, Any]:
    texts = [text for text in prompts.COMPOSITIONS for _ in range(job.some(8))]
    images = job.backend.generate(texts, list(range(500, 500 + len(texts))), job.how)
    points = [checks.composition(pixels) for pixels in images]
    job.keep("compositions", images, texts)
    rng = np.random.default_rng(2_000_033)
    drawn = [
        checks.composition(scenes.draw(scenes.random_composition(rng))) for _ in range(len(texts))
    ]
    return {
        name: {
            **{point: checks.share(p[point] for p in found) for point in found[0]},
            "everything": checks.share(all(p.values()) for p in found),
        }
        for name, found in (("generated", points), ("drawn, for comparison", drawn))
    }


def inpainting(job: Job) -> dict[str, Any]:
    tasks = prompts.repairs(job.some(64))
    images = [
        job.backend.inpaint(task.pixels, task.box, task.asked.prompt, 700 + i, job.how)
        for i, task in enumerate(tasks)
    ]
    points = [checks.repaired(task, pixels) for task, pixels in zip(tasks, images, strict=True)]
    shown = [p for task, new in zip(tasks, images, strict=True) for p in (task.pixels, new)]
    job.keep("inpainting", shown[:64], [t for task in tasks for t in ("", task.asked.prompt)][:64])
    out = {point: checks.share(p[point] for p in points) for point in points[0]}
    return {**out, "everything": checks.share(all(p.values()) for p in points)}


def mixing(job: Job) -> dict[str, Any]:
    circle = scenes.Thing("circle", "red", "medium", 0.5, 0.5, 0.24)
    pixels = scenes.draw(scenes.Scene(("white", "white"), (circle,)))
    weights = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0]
    strips, ends = [], {"red circle at 0": [], "blue square at 1": []}
    for seed in range(800, 800 + job.some(8)):
        strip = job.backend.mix(pixels, "a blue square", weights, seed, job.how)
        strips.append(strip)
        for name, image, said in (
            ("red circle at 0", strip[0], ("circle", "red", None)),
            ("blue square at 1", strip[-1], ("square", "blue", None)),
        ):
            (result,) = checks.judged([prompts.Asked("", scenes.Claims((said,)))], [image])
            ends[name].append(result.right)
    captions = [f"{weight:g}" for _ in strips for weight in weights]
    job.keep("mixing", [p for strip in strips for p in strip], captions, len(weights))
    return {name: checks.share(values) for name, values in ends.items()}


def samplers(job: Job) -> dict[str, Any]:
    asked = prompts.plain(job.some(24))
    out = {}
    for sampler in job.backend.samplers():
        for steps in (10, 20, 50):
            how = dataclasses.replace(job.how, sampler=sampler, steps=steps)
            out[f"{sampler}, {steps}"] = checks.by_point(job.results(asked, how, seeds=1))
    return out


def guidance(job: Job) -> dict[str, Any]:
    asked = prompts.plain(job.some(48))
    out = {}
    for decoder, prior in ((1, 4), (2, 4), (4, 4), (7, 4), (10, 4), (4, 1), (4, 2), (4, 7)):
        how = dataclasses.replace(job.how, guidance=decoder, prior_guidance=prior)
        out[f"{decoder}, {prior}"] = checks.by_point(job.results(asked, how, seeds=1))
    return out


def _psnr(image: np.ndarray, exact: np.ndarray) -> float:
    error = np.square(image.astype(float) - exact).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def approximations(job: Job) -> dict[str, Any]:
    """What each costs: points that are right, and how near its images are to the exact ones."""
    asked = prompts.plain(job.some(48))
    texts, seeds = [one.prompt for one in asked], list(range(900, 900 + len(asked)))
    variants: dict[str, tuple[Backend, dict[str, Any]]] = {
        "exact (fp32)": (job.backend, {}),
        "bf16": (job.make("bf16"), {}),
        "int8 weights": (job.make("fp32", int8_weights=True), {}),
        "guidance from 0.2 to 0.8": (job.backend, {"guidance_start": 0.2, "guidance_end": 0.8}),
        **{
            f"feature cache, interval {interval}": (job.backend, {"cache_interval": interval})
            for interval in (2, 3, 5)
        },
    }
    out: dict[str, Any] = {}
    exact: list[np.ndarray] = []
    for name, (backend, changed) in variants.items():
        images = backend.generate(texts, seeds, dataclasses.replace(job.how, **changed))
        exact = exact or images
        near = [_psnr(*pair) for pair in zip(images, exact, strict=True)]
        out[name] = checks.by_point(checks.judged(asked, images))
        if changed or backend is not job.backend:
            out[f"{name}: PSNR in dB, median and least"] = f"{np.median(near):.1f}, {min(near):.1f}"
    return out


def second_generation(job: Job) -> dict[str, Any]:
    """Kandinsky 2.2's decoder, with the same prompts and seeds as 2.1's."""
    job = dataclasses.replace(job, backend=job.make("fp32", decoder="kandinsky-demo-2-2"))
    half = dataclasses.replace(job.how, width=64, height=64)
    large = dataclasses.replace(job.how, width=256, height=256)
    out = {}
    for name, asked, how, seeds in (
        ("English", prompts.singles("en", job.some(256)), job.how, 2),
        ("Russian", prompts.singles("ru", job.some(256)), job.how, 2),
        ("pairs, English", prompts.pairs("en", job.some(96)), job.how, 2),
        ("pairs, Russian", prompts.pairs("ru", job.some(48)), job.how, 2),
        ("64 x 64", prompts.singles("en", job.some(64)), half, 1),
        ("256 x 256", prompts.singles("en", job.some(64)), large, 1),
    ):
        results = job.results(asked, how, seeds)
        job.show(f"2-2-{name}", results)
        out[name] = checks.by_point(results)
    return out


def depth(job: Job) -> dict[str, Any]:
    """Depth control. For comparison, what the same prompts give without a map."""
    plain = job.make("fp32", decoder="kandinsky-demo-2-2")
    deep = job.make("fp32", decoder="kandinsky-demo-2-2-depth")
    out = {}
    for name, agreeing, backend in (
        ("the map's shape in the prompt", True, deep),
        ("another shape in the prompt", False, deep),
        ("the decoder without a map", True, plain),
    ):
        tasks = prompts.controls(job.some(128), agreeing=agreeing)
        texts, seeds = [t.asked.prompt for t in tasks], list(range(600, 600 + len(tasks)))
        hints = [np.repeat(t.depth[..., None], 3, axis=2) for t in tasks]
        more = {"hints": hints} if backend is deep else {}
        images = backend.generate(texts, seeds, job.how, **more)
        points = [checks.controlled(*pair) for pair in zip(tasks, images, strict=True)]
        found = {point: checks.share(p[point] for p in points) for point in points[0]}
        out[name] = {**found, "everything": checks.share(all(p.values()) for p in points)}
        near = [checks.overlap(*pair) for pair in zip(tasks, images, strict=True)]
        out[f"{name}: median overlap"] = f"{np.median(near):.3f}"
        shown = [p for hint, new in zip(hints, images, strict=True) for p in (hint, new)][:64]
        job.keep(f"depth, {name}", shown, [t for text in texts for t in ("", text)][:64])
    return out


# Only our engine has all they ask for here.
ENGINE_ONLY = {"approximations", "2.2", "depth"}
SECTIONS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "english": english,
    "russian": russian,
    "languages": languages,
    "pairs": pairs,
    "sizes": sizes,
    "compositions": compositions,
    "inpainting": inpainting,
    "mixing": mixing,
    "samplers": samplers,
    "guidance": guidance,
    "approximations": approximations,
    "2.2": second_generation,
    "depth": depth,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Scores the demo model.")
    parser.add_argument("--model", type=Path, default=ROOT / "demo/model", help="folder of folders")
    parser.add_argument("--output", type=Path, default=ROOT / "build/demo-score")
    parser.add_argument("--through", choices=("engine", "diffusers"), default="engine")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--fraction", type=float, default=1.0, help="of the images, for a look")
    parser.add_argument("--steps", type=int, default=PLAIN.steps)
    parser.add_argument("--guidance", type=float, default=PLAIN.guidance)
    parser.add_argument("--prior-steps", type=int, default=PLAIN.prior_steps)
    parser.add_argument("--prior-guidance", type=float, default=PLAIN.prior_guidance)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    given.output.mkdir(parents=True, exist_ok=True)

    def make(precision: str, **options: Any) -> Backend:
        if given.through == "engine":
            return EngineBackend(given.model, precision, **options)
        return DiffusersBackend(given.model)

    how = Settings(
        steps=given.steps,
        guidance=given.guidance,
        prior_steps=given.prior_steps,
        prior_guidance=given.prior_guidance,
    )
    job = Job(make("fp32"), how, given.fraction, make, given.output)
    path = given.output / "numbers.json"
    numbers = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    numbers["judge"] = checks.judge_on_drawings(job.some(400))
    for name in given.only:
        if name in ENGINE_ONLY and given.through == "diffusers":
            continue
        began = time.monotonic()
        numbers[name] = {"settings": f"{given.through}, {report.settings(how)}"} | SECTIONS[name](
            job
        )
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
        path.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        table = report.table(json.loads(path.read_text(encoding="utf-8")))
        (given.output / "score.md").write_text(table, encoding="utf-8")
    print((given.output / "score.md").read_text(encoding="utf-8"))
    print(f"Table and sheets are in {given.output}")


if __name__ == "__main__":
    main()
