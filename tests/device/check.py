"""The checks of run.sh: the engine on an accelerator, beside itself on the CPU and diffusers there.

Prints one line per check, writes all numbers as JSON, and exits with 1 if one fails. With --device
cpu it is a dry run of its own code.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kandinsky_engine import (
    Action,
    CancelledError,
    Embeds,
    Engine,
    OutOfMemoryError,
    Progress,
)

HERE = Path(__file__).resolve().parent
TEXTS = ["a red circle and two blue squares"]
STEPS = 12
MOST_DIFFERENT = 1e-3  # of the largest number of the CPU's result, in fp32
LEAST_PSNR = 30.0  # dB, of 16 bits beside 32
CYCLES = 20
MOST_CANCEL_STEPS = 1.5  # a cancelled job ends within its step
OUT_OF_MEMORY_SHARE = 0.002  # of the device's memory: less than the tiny model needs


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", type=Path, required=True, help="the tiny model's folder")
    parser.add_argument("--model", type=Path, required=True, help="the folder for times")
    parser.add_argument("--diffusers-python", required=True)
    parser.add_argument("--report", type=Path, required=True)
    return parser.parse_args()


class Memory:
    """Bytes of the device in use; in a dry run, those of the process."""

    def __init__(self, device: str) -> None:
        self._is_cuda = device != "cpu"

    def synchronise(self) -> None:
        if self._is_cuda:
            torch.cuda.synchronize()

    def held(self) -> int:
        if self._is_cuda:
            return torch.cuda.memory_allocated()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()

    def reset_peak(self) -> None:
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        if self._is_cuda:
            return torch.cuda.max_memory_allocated()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def set_short(self, short: bool) -> None:
        """So little memory that no job can run, or all again."""
        if self._is_cuda:
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(OUT_OF_MEMORY_SHARE if short else 1.0)
            return
        words = Path("/proc/self/statm").read_text(encoding="ascii").split()
        most = int(words[0]) * resource.getpagesize() + (1 << 20)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most if short else hard, hard))


class Check:
    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._is_dry = options.device == "cpu"
        self._half = "bf16" if self._is_dry else "fp16"
        self._memory = Memory(options.device)
        self._side = 64 if self._is_dry else 512
        self.numbers: dict[str, Any] = {}
        self.failures: list[str] = []

    def open(self, model: Path, precision: str, device: str | None = None) -> Engine:
        return Engine(model, device=device or self._options.device, precision=precision)

    def note(self, name: str, value: Any, good: bool = True, bound: str = "") -> None:
        self.numbers[name] = value
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{'ok  ' if good else 'FAIL'} {name}: {shown}{bound and ' (' + bound + ')'}")
        if not good:
            self.failures.append(name)

    def encode(self, engine: Engine) -> tuple[Embeds, Embeds]:
        return engine.encode_prompts(TEXTS, seeds=[1], prior_num_inference_steps=3)

    def image(self, engine: Engine, steps: int = 4, side: int = 64) -> Any:
        return engine.text_to_image(
            TEXTS,
            seeds=[1],
            width=side,
            height=side,
            num_inference_steps=steps,
            prior_num_inference_steps=3,
        )

    def parity(self) -> None:
        results: list[dict[str, Any]] = []
        for device in ("cpu", None):
            with self.open(self._options.tiny, "fp32", device) as engine:
                embeds, negative = self.encode(engine)
                latents = engine.denoise(
                    embeds, negative, width=64, height=64, seeds=[1], num_inference_steps=4
                )
                image = engine.decode(latents, width=64, height=64)
                results.append(
                    {
                        "image embeds": embeds.tensor("image_embeds"),
                        "latents": np.asarray(latents),
                        "encoded latents": np.asarray(engine.encode(np.asarray(image))),
                        "image": np.asarray(image).astype(np.float64) / 255.0,
                    }
                )
        for name, expected in results[0].items():
            scale = max(1.0, float(np.abs(expected).max()))
            most = float(np.abs(results[1][name] - expected).max()) / scale
            # An image's numbers are rounded to 1/255.
            bound = 1.01 / 255.0 if name == "image" else MOST_DIFFERENT
            self.note(f"fp32 {name} beside the CPU's", most, most <= bound, f"at most {bound:.2g}")

    def half_precision(self) -> None:
        images = []
        for precision in ("fp32", self._half):
            with self.open(self._options.tiny, precision) as engine:
                images.append(np.asarray(self.image(engine)).astype(np.float64))
        error = float(np.mean((images[0] - images[1]) ** 2))
        psnr = 10.0 * math.log10(255.0**2 / max(error, 1e-9))
        self.note(f"PSNR of {self._half}, dB", psnr, psnr >= LEAST_PSNR, f"at least {LEAST_PSNR:g}")

    def times(self) -> None:
        with self.open(self._options.model, self._half) as engine:
            embeds, negative = self.encode(engine)
            ends: list[float] = []

            def on_progress(progress: Progress) -> Action | None:
                if progress.stage == "denoise":
                    ends.append(time.perf_counter())
                return None

            engine.on_progress = on_progress
            engine.denoise(
                embeds,
                negative,
                width=self._side,
                height=self._side,
                seeds=[1],
                num_inference_steps=STEPS,
            )
            engine.on_progress = None
            steps = [end - start for start, end in itertools.pairwise(ends[2:])]
            self.note(f"step at {self._side}, s", statistics.median(steps))
            self._memory.reset_peak()
            start = time.perf_counter()
            self.image(engine, STEPS, self._side)
            self.note(f"image of {STEPS} steps at {self._side}, s", time.perf_counter() - start)
            self.note("peak memory, MB", self._memory.peak() / 1e6)
        for compiled in (False, True):
            name = "compiled" if compiled else "eager"
            command = [
                self._options.diffusers_python,
                str(HERE / "diffusers_steps.py"),
                *("--model", str(self._options.model), "--device", self._options.device),
                *("--precision", self._half, "--side", str(self._side), "--steps", str(STEPS)),
                *(["--compiled"] if compiled else []),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.note(f"diffusers, {name}", done.stderr.strip()[-400:], good=False)
                continue
            answer = json.loads(done.stdout.splitlines()[-1])
            self.note(f"diffusers, {name}: step, s", answer["step"])
            self.note(f"diffusers, {name}: UNet's peak memory, MB", answer["peak"] / 1e6)

    def cycles(self) -> None:
        with self.open(self._options.tiny, "fp32") as engine:
            expected = np.asarray(self.image(engine))
            held = []
            for _ in range(CYCLES):
                engine.unload()
                self._memory.synchronise()
                held.append(self._memory.held())
                if not np.array_equal(np.asarray(self.image(engine)), expected):
                    self.note("an image after unloading", "another one", good=False)
            # The process of a dry run keeps what its libraries have taken.
            slack = (32 << 20) if self._is_dry else 0
            grown = held[-1] - held[1]
            self.note(f"bytes kept after {CYCLES} cycles", grown, grown <= slack)
            if not self._is_dry:
                self.note("bytes held when unloaded", held[-1], held[-1] <= 1 << 20)

    def cancel(self) -> None:
        with self.open(self._options.model, self._half) as engine:
            self.image(engine, 2, self._side)
            cancelled_at: list[float] = []
            steps: list[float] = []

            def cancel() -> None:
                cancelled_at.append(time.perf_counter())
                engine.cancel()

            def on_progress(progress: Progress) -> Action | None:
                if progress.stage == "denoise":
                    steps.append(time.perf_counter())
                    if progress.step == 2:
                        threading.Timer((steps[-1] - steps[-2]) / 2, cancel).start()
                return None

            engine.on_progress = on_progress
            try:
                self.image(engine, 900, self._side)
                self.note("a cancelled job", "ended of itself", good=False)
            except CancelledError:
                late = time.perf_counter() - cancelled_at[0]
                step = statistics.median(b - a for a, b in itertools.pairwise(steps))
                good = late <= MOST_CANCEL_STEPS * step + 0.05
                self.note("cancelled after, s", late, good, f"a step takes {step:.3g}")
            engine.on_progress = None
            self.image(engine, 2, self._side)
            self.note("the next job after a cancelled one", "runs")

    def out_of_memory(self) -> None:
        with self.open(self._options.tiny, "fp32") as engine:
            expected = np.asarray(self.image(engine))
            engine.unload()
            try:
                self._memory.set_short(True)
                try:
                    self.image(engine)
                    self.note("a job without memory", "ran", good=False)
                except OutOfMemoryError as error:
                    self.note("a job without memory", str(error))
            finally:
                self._memory.set_short(False)
            same = np.array_equal(np.asarray(self.image(engine)), expected)
            self.note("the same image once there is memory", same, same)

    def run(self) -> None:
        checks: list[Callable[[], None]] = [
            self.parity,
            self.half_precision,
            self.cycles,
            self.out_of_memory,
            self.cancel,
            self.times,
        ]
        for check in checks:
            start = time.perf_counter()
            try:
                check()
            except Exception as error:  # the other checks still tell something
                self.note(check.__name__, f"{type(error).__name__}: {error}", good=False)
            print(f"     {check.__name__} took {time.perf_counter() - start:.1f} s", flush=True)


def main() -> int:
    options = arguments()
    # As exact as fp32 is; a host may have set otherwise.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    check = Check(options)
    check.numbers["device"] = (
        "cpu, a dry run" if options.device == "cpu" else torch.cuda.get_device_name()
    )
    check.numbers["torch"] = torch.__version__
    print(f"{check.numbers['device']}, torch {torch.__version__}")
    check.run()
    check.numbers["failures"] = check.failures
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(check.numbers, indent=1) + "\n", encoding="utf-8")
    print(f"{len(check.failures)} failed; all numbers are in {options.report}")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
