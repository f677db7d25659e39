"""What a process keeps that the engine works in: its torch, its threads, its children, itself."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.built import PROGRAM, PYTHON_DIR
from support.generation import LONG, generate

import kandinsky_engine as kandinsky
from kandinsky_engine import Engine

FEW = [
    "--width=64",
    "--height=64",
    "--steps=2",
    "--prior-steps=2",
    "--prompt=x",
    "--seed=1",
    "--quiet",
]


def generated(model: Path, output: Path, **variables: str) -> np.ndarray:
    """An image of the command line in fp32, with these variables set."""
    done = subprocess.run(
        [PROGRAM, "txt2img", "--model", model, "--precision=fp32", "--output", output, *FEW],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return kandinsky.load_image(output).astype(int)


def run_python(source: str, *arguments: str | Path, **variables: str) -> str:
    """What a program of its own says that has the package on its path; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={**os.environ, "PYTHONPATH": str(PYTHON_DIR), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


class TestTeam:
    """OpenMP may give fewer threads than LibTorch counts on."""

    @pytest.mark.parametrize(
        "variables",
        [
            {"OMP_DYNAMIC": "true"},
            {"OMP_THREAD_LIMIT": "1"},
            {"OMP_THREAD_LIMIT": "1", "OMP_DYNAMIC": "true"},
            {"OMP_NUM_THREADS": "64"},
            {"OMP_NUM_THREADS": "64", "OMP_THREAD_LIMIT": "3"},
            {"OMP_NESTED": "true"},
        ],
        ids=lambda variables: ",".join(f"{k}={v}" for k, v in variables.items()),
    )
    def test_the_image_is_one_threads(
        self, model: Path, tmp_path: Path, variables: dict[str, str]
    ) -> None:
        one = generated(model, tmp_path / "one.png", OMP_NUM_THREADS="1")
        other = generated(model, tmp_path / "other.png", **variables)
        assert np.abs(one - other).max() <= 1

    def test_threads_may_change_between_jobs(self, engine: Engine) -> None:
        import torch  # noqa: PLC0415

        before = torch.get_num_threads()
        try:
            images = []
            for threads in (1, 2, 4, 1):
                torch.set_num_threads(threads)
                images.append(generate(engine).astype(int))
                assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        assert max(np.abs(image - images[0]).max() for image in images) <= 1

    @pytest.mark.parametrize(
        ("threads", "bound"), [("2", "false"), ("4", "false"), ("8", "false"), ("4", "true")]
    )
    def test_images_side_by_side_are_those_alone_and_leave_no_thread(
        self, model: Path, threads: str, bound: str
    ) -> None:
        source = """
import pathlib, sys
import numpy as np
import kandinsky_engine
def threads():
    return len(list(pathlib.Path("/proc/self/task").iterdir()))
few = {"width": 64, "height": 64, "num_inference_steps": 2, "prior_num_inference_steps": 2}
for precision in ("fp32", "bf16"):
    with kandinsky_engine.Engine(sys.argv[1], precision=precision) as engine:
        generate = lambda seeds: engine.text_to_image(["x"] * len(seeds), seeds=seeds, **few)
        alone = [generate([seed])[0] for seed in (1, 2, 3)]
        before = threads()
        assert np.array_equal(generate([1, 2, 3]), alone)
        assert threads() == before, (before, threads())
"""
        run_python(source, model, OMP_NUM_THREADS=threads, OMP_PROC_BIND=bound)

    def test_there_is_one_openmp_and_it_is_torchs(self, model: Path) -> None:
        source = """
import pathlib, sys, torch
import kandinsky_engine
def runtimes():
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    return sorted({line.split()[-1] for line in maps if "omp" in line.rpartition("/")[2]})
def threads():
    return len(list(pathlib.Path("/proc/self/task").iterdir()))
torch.set_num_threads(2)
torch.ones(1 << 20).sum()
before = threads()
with kandinsky_engine.Engine(sys.argv[1], precision="fp32") as engine:
    engine.text_to_image(["x"], seeds=[1], width=64, height=64, num_inference_steps=2)
found = runtimes()
assert len(found) == 1, found
packages = pathlib.Path(torch.__file__).resolve().parents[1]
assert pathlib.Path(found[0]).resolve().is_relative_to(packages), found
assert threads() == before, (before, threads())
"""
        run_python(source, model)


TORCH_STATE = """
def state():
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "random": torch.get_rng_state().tolist(),
        "denormal": (torch.tensor([1e-310], dtype=torch.float64) * 1).item(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
    }
"""


class TestTorchOfTheHost:
    def test_every_call_leaves_it_as_it_was(self, model: Path) -> None:
        """Calls that work and calls that fail, under settings that no one has by default; the
        image is the same as under the usual ones.
        """
        source = (
            "import sys, numpy as np, torch, kandinsky_engine as kandinsky\n"
            + TORCH_STATE
            + """
engine = kandinsky.Engine(sys.argv[1], precision="fp32")
few = dict(seeds=[1], width=64, height=64)
def generate():
    return engine.text_to_image(["a"], num_inference_steps=2, prior_num_inference_steps=2, **few)
expected = generate()
torch.manual_seed(7)
torch.set_grad_enabled(False)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_float32_matmul_precision("highest")
assert torch.set_flush_denormal(True)
embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
latents = np.zeros((1, 4, 8, 8), np.float32)
image = np.zeros((64, 64, 3), np.uint8)
def wrong(call):
    try:
        call()
    except kandinsky.KandinskyError:
        return
    raise AssertionError("it was not refused")
def fail(progress):
    raise kandinsky.CancelledError("mine")
def cancelled():
    engine.on_progress = fail
    try:
        generate()
    finally:
        engine.on_progress = None
calls = [
    generate,
    lambda: engine.info,
    lambda: engine.plan_memory(64, 64),
    lambda: engine.encode_images([image]),
    lambda: engine.denoise(embeds, negative, num_inference_steps=2, **few),
    lambda: engine.decode(latents, width=64, height=64),
    lambda: engine.encode(image[None]),
    lambda: kandinsky.Embeds.combine([embeds, negative], [0.5, 0.5]),
    lambda: kandinsky.Embeds.concat([embeds, negative]),
    engine.unload,
    lambda: kandinsky.Engine(sys.argv[1]).close(),
    lambda: wrong(lambda: kandinsky.Engine("/nowhere")),
    lambda: wrong(lambda: engine.decode(latents * np.nan, width=64, height=64)),
    lambda: wrong(lambda: engine.denoise(embeds, None, num_inference_steps=2, **few)),
    lambda: wrong(lambda: engine.text_to_image(["a"], seeds=[1], width=-1, height=64)),
    lambda: wrong(cancelled),
]
before = state()
for number, call in enumerate(calls):
    call()
    assert state() == before, number
assert np.abs(generate().astype(int) - expected).max() <= 1
"""
        )
        run_python(source, model)


class Starter(threading.Thread):
    """Starts a job and keeps its outcome."""

    def __init__(self, job: Callable[[], Any]) -> None:
        super().__init__()
        self.job, self.outcome = job, None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.job()
        except Exception as error:
            self.outcome = error

    def finish(self) -> Any:
        self.join(60)
        assert not self.is_alive()
        return self.outcome


class TestCancel:
    def test_right_after_the_thread_has_started(self, engine: Engine) -> None:
        generate(engine)
        for _ in range(20):
            worker = Starter(lambda: generate(engine, **LONG))
            engine.cancel()
            assert isinstance(worker.finish(), kandinsky.CancelledError)

    def test_close_right_after_the_thread_has_started(self, model: Path) -> None:
        for _ in range(5):
            engine = Engine(model, precision="fp32")
            worker = Starter(lambda e=engine: generate(e, **LONG))
            start = time.monotonic()
            engine.close()
            outcome = worker.finish()
            assert isinstance(outcome, kandinsky.CancelledError | kandinsky.InvalidArgumentError)
            assert time.monotonic() - start < 10

    def test_a_message_callback_ends_the_job(self, engine: Engine) -> None:
        def fail(message: str) -> None:
            raise LookupError(message)

        engine.on_message = fail
        start = time.monotonic()
        with pytest.raises(LookupError, match="were left out"):
            engine.text_to_image(["red circle " * 500], seeds=[1], width=256, height=256, **LONG)
        assert time.monotonic() - start < 10


class TestFork:
    def test_a_child_is_told_at_once_and_the_parent_goes_on(self, model: Path) -> None:
        source = """
import os, signal, sys, kandinsky_engine as kandinsky
def generate(engine):
    return engine.text_to_image(["x"], seeds=[1], width=64, height=64, num_inference_steps=2)
def told(call):
    try:
        call()
    except kandinsky.IncompatibleError as error:
        return "fork" in str(error) and "spawn" in str(error)
engine = kandinsky.Engine(sys.argv[1], precision="fp32")
expected = generate(engine)
child = os.fork()
if child == 0:
    signal.alarm(30)
    fine = told(lambda: generate(engine)) and told(engine.unload)
    fine = fine and told(lambda: kandinsky.Engine(sys.argv[1], precision="fp32"))
    engine.close()
    os._exit(0 if fine else 1)
assert os.waitpid(child, 0)[1] == 0
assert (generate(engine) == expected).all()
"""
        run_python(source, model, OMP_NUM_THREADS="2")

    def test_a_child_of_a_process_that_has_only_imported_generates(self, model: Path) -> None:
        source = """
import os, signal, sys, kandinsky_engine as kandinsky
child = os.fork()
if child == 0:
    signal.alarm(120)
    engine = kandinsky.Engine(sys.argv[1], precision="fp32")
    engine.text_to_image(["x"], seeds=[1], width=64, height=64, num_inference_steps=2)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
        run_python(source, model, OMP_NUM_THREADS="2")


class TestDevices:
    @pytest.mark.parametrize(
        "device", ["cpu:5", "CPU ", "CPU", "cuda:99", "cuda:-1", "meta", "mps"]
    )
    def test_odd_ones_are_refused_with_the_reason(self, model: Path, device: str) -> None:
        with pytest.raises(kandinsky.KandinskyError, match="device") as caught:
            Engine(model, device=device)
        assert repr(device)[1:-1] in str(caught.value)
        with pytest.raises(kandinsky.KandinskyError, match="device"):
            Engine(model, device="cpu", prior_device=device)


class TestPrecision:
    def test_auto_times_nothing_where_the_cpu_has_no_bf16(self, model: Path) -> None:
        """It took seconds, which the CPU needs to imitate it."""
        cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        with Engine(model) as engine:
            has_bf16 = "avx512_bf16" in cpus or "amx_bf16" in cpus
            assert ("measured" in engine.info.reason) == has_bf16
            assert "bf16" in engine.info.reason


class TestMemoryLimits:
    """Address space is what `ulimit -v` bounds: mappings, stacks and code, too."""

    def test_a_process_outlives_it(self, model: Path) -> None:
        source = """
import pathlib, resource, sys, kandinsky_engine as kandinsky
def used():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
def generate():
    with kandinsky.Engine(sys.argv[1], precision="fp32") as engine:
        return engine.text_to_image(["x"], seeds=[1], width=64, height=64, num_inference_steps=2)
outcomes = set()
for megabytes in [1, 8, *range(20, 300, 40), 2000]:
    resource.setrlimit(resource.RLIMIT_AS, (used() + (megabytes << 20), -1))
    try:
        outcomes.add(generate().shape)
    except kandinsky.OutOfMemoryError as error:
        assert isinstance(error, MemoryError)
        outcomes.add("too little")
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
assert outcomes == {"too little", (1, 64, 64, 3)}, outcomes
generate()
"""
        run_python(source, model)
