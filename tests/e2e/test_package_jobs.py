"""Jobs of the Python package on a tiny model: callbacks, threads, cancelling, memory."""

import _thread
import gc
import json
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.built import NATIVE_SIZE
from support.children import run_python
from support.generation import FEW, LONG, SIZE, generate

import kandinsky_engine as kandinsky
from kandinsky_engine import Action, Engine, Progress
from kandinsky_engine._load import core


class Worker(threading.Thread):
    """Runs a job; its result or exception is in `outcome` afterwards."""

    def __init__(self, job: Callable[[], Any]) -> None:
        super().__init__()
        self.job = job
        self.outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.job()
        except BaseException as error:  # noqa: BLE001, RUF100
            self.outcome = error

    def finish(self) -> Any:
        self.join(60)
        assert not self.is_alive()
        return self.outcome


def signal_at(engine: Engine, stage: str, step: int = 1) -> threading.Event:
    """Set as soon as the engine's job has come to that step."""
    reached = threading.Event()

    def watch(progress: Progress) -> None:
        if progress.stage == stage and progress.step >= step:
            reached.set()

    engine.on_progress = watch
    return reached


class TestCallbacks:
    def test_progress_counts_every_stage(self, engine: Engine) -> None:
        seen: list[Progress] = []
        engine.on_progress = seen.append  # type: ignore[assignment]
        generate(engine, num_inference_steps=3, prior_num_inference_steps=2)
        for stage, steps in (("prior", 2), ("denoise", 3)):
            found = [progress for progress in seen if progress.stage == stage]
            assert [progress.step for progress in found] == list(range(steps + 1))
            assert {progress.steps for progress in found} == {steps}
        stages = list(dict.fromkeys(progress.stage for progress in seen))
        order = [stage for stage in stages if stage != "load"]
        assert order.index("text_encoder") < order.index("prior") < order.index("denoise")
        assert order[-1] == "decode"
        for progress in seen:
            shown = progress.stage == "denoise" and progress.step > 0
            assert (progress.latents is not None) == shown
        last = [progress for progress in seen if progress.latents is not None]
        assert all(p.latents is not None and p.latents.shape == (1, 4, 8, 8) for p in last)
        assert all(np.isfinite(p.latents).all() for p in last if p.latents is not None)

    def test_finish_goes_on_with_what_there_is(self, engine: Engine) -> None:
        steps = []

        def stop_at_three(progress: Progress) -> Action:
            if progress.stage == "denoise":
                steps.append(progress.step)
                if progress.step == 3:
                    return Action.FINISH
            return Action.CONTINUE

        engine.on_progress = stop_at_three
        assert generate(engine, num_inference_steps=50).shape == (1, NATIVE_SIZE, NATIVE_SIZE, 3)
        assert steps[-1] == 3

    @pytest.mark.parametrize("stage", ["load", "text_encoder", "prior", "denoise", "decode"])
    def test_cancel_in_every_stage(self, engine: Engine, stage: str) -> None:
        expected = generate(engine, seeds=[9])
        engine.unload()

        def cancel(progress: Progress) -> Action | None:
            return Action.CANCEL if progress.stage == stage else None

        engine.on_progress = cancel
        with pytest.raises(kandinsky.CancelledError):
            generate(engine)
        engine.on_progress = None
        assert np.array_equal(generate(engine, seeds=[9]), expected)

    @pytest.mark.parametrize("stage", ["load", "text_encoder", "prior", "denoise", "decode"])
    def test_exception_comes_out_unchanged(self, engine: Engine, stage: str) -> None:
        class OurError(Exception):
            pass

        error = OurError("ours")

        def fail(progress: Progress) -> None:
            if progress.stage == stage:
                raise error

        engine.on_progress = fail
        with pytest.raises(OurError) as caught:
            generate(engine)
        assert caught.value is error
        engine.on_progress = None
        generate(engine)

    def test_exception_of_on_message_comes_out(self, engine: Engine) -> None:
        def fail(message: str) -> None:
            raise LookupError(message)

        engine.on_message = fail
        with pytest.raises(LookupError, match="were left out"):
            engine.text_to_image(["red circle " * 500], seeds=[1], **SIZE, **FEW)

    def test_odd_result_is_an_error(self, engine: Engine) -> None:
        engine.on_progress = lambda progress: 17  # type: ignore[assignment,return-value]
        with pytest.raises(ValueError, match="17"):
            generate(engine)

    def test_engine_is_busy_inside_its_callback(self, engine: Engine) -> None:
        outcomes: list[type] = []

        def call_again(progress: Progress) -> None:
            for call in (lambda: generate(engine), engine.unload):
                with pytest.raises(kandinsky.KandinskyError) as caught:
                    call()
                outcomes.append(caught.type)

        engine.on_progress = call_again
        generate(engine)
        assert set(outcomes) == {kandinsky.BusyError}

    def test_ctrl_c_ends_the_job(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: reached.wait(60) and _thread.interrupt_main())
        with pytest.raises(KeyboardInterrupt):
            generate(engine, **LONG)
        worker.finish()
        engine.on_progress = None
        generate(engine)

    def test_callbacks_do_not_keep_the_engine_alive(self, model: Path) -> None:
        def used() -> weakref.ref[Engine]:
            engine = Engine(model)
            engine.on_progress = lambda progress: engine.cancel()
            with pytest.raises(kandinsky.CancelledError):
                generate(engine)
            return weakref.ref(engine)

        gone = used()
        gc.collect()
        assert gone() is None


class TestThreads:
    def test_another_thread_gets_the_same_image(self, engine: Engine) -> None:
        assert np.array_equal(Worker(lambda: generate(engine)).finish(), generate(engine))

    def test_the_interpreter_goes_on_meanwhile(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: generate(engine, num_inference_steps=100))
        assert reached.wait(60)
        engine.on_progress = None
        turns = 0
        while worker.is_alive():
            turns += 1
            time.sleep(0.001)
        assert isinstance(worker.finish(), np.ndarray)
        assert turns > 10

    def test_cancelled_from_another_thread(self, engine: Engine) -> None:
        expected = generate(engine)
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: generate(engine, **LONG))
        assert reached.wait(60)
        engine.cancel()
        started = time.monotonic()
        assert isinstance(worker.finish(), kandinsky.CancelledError)
        assert time.monotonic() - started < 10
        engine.on_progress = None
        engine.cancel()
        assert np.array_equal(generate(engine), expected)

    def test_second_job_is_told_busy(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: generate(engine, **LONG))
        assert reached.wait(60)
        image = np.zeros((1, 64, 64, 3), np.uint8)
        for call in (lambda: generate(engine), engine.unload, lambda: engine.encode(image)):
            with pytest.raises(kandinsky.BusyError):
                call()
        assert engine.info.native_size == NATIVE_SIZE
        engine.cancel()
        assert isinstance(worker.finish(), kandinsky.CancelledError)

    def test_closed_while_working(self, model: Path) -> None:
        engine = Engine(model)
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: generate(engine, **LONG))
        assert reached.wait(60)
        engine.close()
        assert isinstance(worker.finish(), kandinsky.CancelledError)
        with pytest.raises(kandinsky.InvalidArgumentError, match="closed"):
            generate(engine)

    def test_two_engines_at_once(self, model: Path) -> None:
        with Engine(model, precision="fp32") as one, Engine(model, precision="fp32") as two:
            expected = [generate(one, seeds=[i], num_inference_steps=10) for i in range(2)]
            workers = [
                Worker(lambda e=engine, i=i: generate(e, seeds=[i], num_inference_steps=10))
                for i, engine in enumerate((one, two))
            ]
            for worker, image in zip(workers, expected, strict=True):
                assert np.array_equal(worker.finish(), image)

    def test_torch_of_the_process_is_left_alone(self, engine: Engine) -> None:
        import torch  # noqa: PLC0415

        torch.manual_seed(5)
        before = (torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype())
        inside = []
        engine.on_progress = lambda _: inside.append(torch.is_inference_mode_enabled())
        generate(engine)
        engine.on_progress = None
        assert inside
        assert not any(inside)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (torch.get_num_threads(), torch.get_default_dtype()) == before[1:]
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


class TestMemory:
    """RSS settles after a few runs; the limits are far below twenty times any leaked thing."""

    def test_twenty_images(self, engine: Engine) -> None:
        for _ in range(5):
            generate(engine)
        before = resident_mb()
        for seed in range(20):
            generate(engine, seeds=[seed])
        assert resident_mb() - before < 10

    def test_images_that_are_refused_have_used_none(self, model: Path) -> None:
        source = """
import sys
import kandinsky_engine as kandinsky

def peak():
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

side, count = 8192, 8  # 1.6 GB
engine = kandinsky.Engine(sys.argv[1], max_memory=10**9)
before = peak()
try:
    engine.text_to_image(["x"] * count, seeds=[1] * count, width=side, height=side)
except kandinsky.OutOfMemoryError as error:
    assert "this needs" in str(error), error
else:
    sys.exit("not refused")
assert peak() - before < side * side * 3 * count / 2
"""
        run_python(source, model)

    def test_twenty_failures(self, engine: Engine) -> None:
        def fail(progress: Progress) -> None:
            if progress.stage == "denoise" and progress.step == 1:
                raise LookupError

        generate(engine)
        engine.on_progress = fail
        before = resident_mb()
        for _ in range(20):
            with pytest.raises(LookupError):
                generate(engine)
        assert resident_mb() - before < 10


class TestRowsOfABatch:
    def test_an_id_stands_for_one_image(self, model: Path, tmp_path: Path) -> None:
        """Whether that is still to be made or is there from before."""
        folder = os.fsencode(tmp_path)
        defaults = json.dumps({"model_dir": str(model), **FEW})
        worker = core.Worker(defaults, folder, folder, "manifest.jsonl", 1, lambda _: None)
        rows = [json.dumps({"prompt": prompt, "id": "a"}) for prompt in ("x", "y", "x")]
        answers = worker.run(rows)
        told = 'id "a" is already used by the batch\'s row 1 for another image'
        assert [answer["error"] for answer in answers] == ["", told, ""]
        assert answers[0] == answers[2]
        assert worker.run(rows) == answers
