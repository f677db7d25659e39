"""Measures our engine, through its Python package, for bench.py.

Options: package (folder of kandinsky_engine), model, scratch (a folder for embeds), engine (more
keywords of Engine). Every text is a new one, so that nothing is found among results kept from
before.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from protocol import Answer, serve
from stage_clock import StageClock

OPTIONS: dict[str, Any] = json.loads(sys.argv[1])
sys.path.insert(0, OPTIONS["package"])

import kandinsky_engine as kandinsky  # noqa: E402  the one of OPTIONS
from kandinsky_engine import Embeds, Engine  # noqa: E402

PRIOR_STEPS = 25
SAMPLER = "DPM++ 2M"


class EngineWorker:
    def __init__(self) -> None:
        self._texts = itertools.count()
        self._engine = self._open()

    @staticmethod
    def _open() -> Engine:
        return Engine(OPTIONS["model"], **OPTIONS.get("engine", {}))

    def _new_text(self) -> str:
        return f"a red circle and {time.time_ns() % 10**9} blue squares, {next(self._texts)}"

    def _encode(self, steps: int = PRIOR_STEPS) -> tuple[Embeds, Embeds]:
        return self._engine.encode_prompts(
            [self._new_text()],
            [self._new_text()],
            seeds=[next(self._texts)],
            prior_num_inference_steps=steps,
        )

    def _embeds(self) -> tuple[Embeds, Embeds]:
        """Embeds from the scratch folder: what a denoise needs besides the UNet."""
        paths = [
            Path(OPTIONS["scratch"]) / f"{side}.safetensors" for side in ("prompt", "negative")
        ]
        if not all(path.is_file() for path in paths):
            for path, embeds in zip(paths, self._encode(steps=2), strict=True):
                embeds.save(path)
            self._engine.unload()
        prompt, negative = (Embeds.load(path) for path in paths)
        return prompt, negative

    def _denoise(self, size: int, batch: int, steps: int) -> StageClock:
        rows = [0] * batch
        prompt, negative = (embeds.select(rows) for embeds in self._embeds())
        with StageClock(self._engine) as clock:
            self._engine.denoise(
                prompt,
                negative,
                width=size,
                height=size,
                seeds=list(range(batch)),
                sampler=SAMPLER,
                num_inference_steps=steps,
            )
        return clock

    def versions(self) -> Answer:
        info = self._engine.info
        return {
            "kandinsky_engine": kandinsky.__version__,
            "torch": kandinsky.torch_version,
            "precision": info.precision,
            "reason": info.reason,
        }

    def speedups(self) -> Answer:
        return {"names": list(kandinsky.speedups())}

    def load(self, stage: str) -> Answer:
        """Loads what the stage needs, by a small job that uses all of it."""
        self._embeds()
        self._engine.unload()
        small = self._engine.info.size_multiple
        with StageClock(self._engine) as clock:
            if stage in ("text", "prior"):
                self._encode(steps=2)
            elif stage == "movq":
                self._engine.encode(np.zeros((1, small, small, 3), np.uint8))
            elif stage == "all":
                self._engine.text_to_image(
                    [self._new_text()],
                    seeds=[1],
                    width=small,
                    height=small,
                    num_inference_steps=1,
                    prior_num_inference_steps=2,
                )
        if stage == "unet":
            clock = self._denoise(small, 1, 1)
        return {"samples": [clock.seconds("load")]}

    def unload(self) -> Answer:
        self._engine.unload()
        return {}

    def text(self) -> Answer:
        with StageClock(self._engine) as clock:
            self._encode(steps=2)
        return {"samples": [clock.seconds("text_encoder")]}

    def prior(self, steps: int) -> Answer:
        """The whole loop, with what is prepared before its first step."""
        del steps  # of those that cannot run the whole loop in reasonable time
        with StageClock(self._engine) as clock:
            self._encode()
        return {"samples": [clock.after("text_encoder")], "times": 1}

    def unet(self, size: int, batch: int, steps: int) -> Answer:
        """Steps after the first, each one alone; the first also prepares the run."""
        clock = self._denoise(size, batch, steps + 1)
        first, *others = clock.steps("denoise")
        return {"samples": others, "first": first, "outside": clock.total - first - sum(others)}

    def steps(self, size: int, steps: int) -> Answer:
        """A whole denoise of so many steps."""
        return {"samples": [self._denoise(size, 1, steps).total]}

    def decode(self, size: int, batch: int) -> Answer:
        width, height = self._engine.latent_size(size, size)
        shape = (batch, self._engine.info.latent_channels, height, width)
        latents = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
        start = time.perf_counter()
        self._engine.decode(latents, width=size, height=size)
        return {"samples": [time.perf_counter() - start]}

    def encode(self, size: int, batch: int) -> Answer:
        images = np.random.default_rng(1).integers(0, 256, (batch, size, size, 3), np.uint8)
        start = time.perf_counter()
        self._engine.encode(images)
        return {"samples": [time.perf_counter() - start]}

    def plan(self, size: int, batch: int) -> Answer:
        """The peak memory that the engine expects of `image`."""
        plan = self._engine.plan_memory(width=size, height=size, batch_size=batch)
        return {"planned": plan.peak}

    def image(self, size: int, steps: int, prior_steps: int, batch: int = 1) -> Answer:
        """From texts to pixels."""
        with StageClock(self._engine) as clock:
            self._engine.text_to_image(
                [self._new_text() for _ in range(batch)],
                [self._new_text() for _ in range(batch)],
                seeds=[next(self._texts) for _ in range(batch)],
                width=size,
                height=size,
                sampler=SAMPLER,
                num_inference_steps=steps,
                prior_num_inference_steps=prior_steps,
            )
        return {"samples": [clock.total], "steps": clock.steps("denoise")}

    def start(self, size: int, from_text: bool) -> Answer:
        """From a new engine to the beginning of the first UNet step.

        What the first step takes longer than the second counts too: it is preparation.
        """
        self._embeds()
        self._engine.close()
        begin = time.perf_counter()
        self._engine = self._open()
        if from_text:
            with StageClock(self._engine) as clock:
                self._engine.text_to_image(
                    [self._new_text()],
                    seeds=[1],
                    width=size,
                    height=size,
                    sampler=SAMPLER,
                    num_inference_steps=2,
                    prior_num_inference_steps=PRIOR_STEPS,
                )
        else:
            clock = self._denoise(size, 1, 2)
        until_first = clock.start - begin + clock.until_first("denoise")
        return {"samples": [until_first - min(clock.steps("denoise"))]}


def main() -> None:
    worker = EngineWorker()
    names = (
        "versions",
        "speedups",
        "load",
        "unload",
        "text",
        "prior",
        "unet",
        "steps",
        "decode",
        "plan",
    )
    serve({name: getattr(worker, name) for name in (*names, "encode", "image", "start")})


if __name__ == "__main__":
    main()
