"""The Python package on a tiny model: stages, callbacks, threads, cancelling, memory."""

import _thread
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import NATIVE_SIZE, copy_models

import kandinsky_engine as kandinsky
from kandinsky_engine import Action, Engine, Progress

SIZE = {"width": NATIVE_SIZE, "height": NATIVE_SIZE}
FEW: dict[str, Any] = {"num_inference_steps": 2, "prior_num_inference_steps": 2}
LONG: dict[str, Any] = {"num_inference_steps": 999, "prior_num_inference_steps": 2}


@pytest.fixture
def engine(model: Path) -> Iterator[Engine]:
    with Engine(model, precision="fp32") as engine:
        yield engine


def paint(engine: Engine, **options: Any) -> np.ndarray:
    return engine.text_to_image(["a red circle"], **{"seeds": [1], **SIZE, **FEW, **options})


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


class TestWhatThereIs:
    def test_versions_and_lists(self) -> None:
        import torch  # noqa: PLC0415

        assert kandinsky.__version__.count(".") == 2
        assert kandinsky.torch_version == torch.__version__.partition("+")[0]
        assert "DDIM" in kandinsky.samplers()
        assert "kandinsky-2-1" in kandinsky.families()

    def test_folder(self, model: Path) -> None:
        folder = kandinsky.describe_folder(model)
        assert folder.pipeline == "KandinskyPipeline"
        assert folder.family == "kandinsky-2-1"
        assert folder.native_size == NATIVE_SIZE
        parts = {part.name: part for part in folder.components}
        assert parts["unet"].dtype == "fp32"
        assert parts["unet"].bytes == parts["unet"].parameters * 4 > 0
        assert parts["scheduler"].dtype == ""
        assert parts["scheduler"].tensors == 0

    def test_info(self, engine: Engine, model: Path) -> None:
        info = engine.info
        assert info.family == "kandinsky-2-1"
        assert info.precision == "fp32"
        assert info.reason
        assert Path(info.prior_dir) == model.with_name(f"{model.name}-prior")
        assert info.native_size == NATIVE_SIZE
        assert (info.latent_channels, info.latent_factor, info.size_multiple) == (4, 8, 64)

    def test_memory_plan(self, engine: Engine, model: Path) -> None:
        plan = engine.plan_memory(**SIZE)
        assert plan.holds_everything
        assert plan.least <= plan.peak <= plan.budget
        assert "everything stays loaded" in plan.text
        with Engine(model, precision="fp32", max_memory=plan.least) as tight:
            assert tight.plan_memory(**SIZE).budget == plan.least
            said: list[str] = []
            tight.on_message = said.append
            difference = paint(tight).astype(int) - paint(engine)
            assert abs(difference).max() <= 1, "the same but for rounding"
            assert [text.partition(":")[0] for text in said] == [
                f"Memory within {plan.least / 1e6:.0f} MB"
            ]
        with (
            Engine(model, precision="fp32", max_memory=plan.least - 1) as small,
            pytest.raises(kandinsky.OutOfMemoryError, match="at least"),
        ):
            paint(small)

    def test_prior_folder_is_obeyed(self, model: Path, tmp_path: Path) -> None:
        copy = copy_models(model, tmp_path)
        prior = (tmp_path / f"{model.name}-prior").rename(tmp_path / "elsewhere")
        with pytest.raises(kandinsky.NotFoundError, match="-prior"):
            Engine(copy)
        with Engine(copy, prior) as engine:
            assert Path(engine.info.prior_dir) == prior


class TestStages:
    def test_whole_task_is_its_stages(self, engine: Engine) -> None:
        whole = paint(engine, seeds=[7], width=70, height=100)
        assert whole.dtype == np.uint8
        assert whole.shape == (1, 100, 70, 3)
        assert len(np.unique(whole)) > 10
        embeds, negative = engine.encode_prompts(
            ["a red circle"], seeds=[7], prior_num_inference_steps=2
        )
        latents = engine.denoise(
            embeds, negative, width=70, height=100, seeds=[7], num_inference_steps=2
        )
        assert latents.dtype == np.float32
        assert latents.shape == (1, 4, 16, 16)
        assert np.array_equal(engine.decode(latents, width=70, height=100), whole)

    @pytest.mark.parametrize("negative", [None, ["blue", "", "green"]])
    def test_batch_equals_single_pictures(self, engine: Engine, negative: list[str] | None) -> None:
        prompts = ["a red circle", "", "зелёный квадрат"]
        seeds = [5, 5, 2**64 - 1]
        options = {"width": 70, "height": NATIVE_SIZE, **FEW}
        batch = engine.text_to_image(prompts, negative, seeds=seeds, **options)
        assert batch.shape == (3, NATIVE_SIZE, 70, 3)
        for i in range(3):
            alone = engine.text_to_image(
                [prompts[i]],
                None if negative is None else [negative[i]],
                seeds=[seeds[i]],
                **options,
            )
            assert np.array_equal(batch[i], alone[0])
        assert not np.array_equal(batch[0], batch[1])

    @pytest.mark.parametrize(("negative_image", "kinds"), [("zero", 2), ("prior", 3)])
    def test_absent_and_empty_negative_prompts(
        self, engine: Engine, negative_image: str, kinds: int
    ) -> None:
        """They differ only where the prior paints an idea of the empty one."""
        options: dict[str, Any] = {**SIZE, **FEW, "negative_image": negative_image}
        pictures = [
            engine.text_to_image(["a"], negative, seeds=[1], **options)
            for negative in (None, [""], ["blue"])
        ]
        assert len({picture.tobytes() for picture in pictures}) == kinds

    def test_noise_replaces_the_seeds(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        options: dict[str, Any] = {**SIZE, "num_inference_steps": 2}
        noise = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)
        one = engine.denoise(embeds, negative, seeds=[1], noise=noise, **options)
        two = engine.denoise(embeds, negative, seeds=[2], noise=noise, **options)
        assert np.array_equal(one, two)
        assert not np.array_equal(one, engine.denoise(embeds, negative, seeds=[1], **options))
        with pytest.raises(kandinsky.InvalidArgumentError, match="noise"):
            engine.denoise(embeds, negative, seeds=[1], noise=noise[:, :3], **options)
        noise[0, 0, 0, 0] = np.nan
        with pytest.raises(kandinsky.InvalidArgumentError, match="noise"):
            engine.denoise(embeds, negative, seeds=[1], noise=noise, **options)

    def test_guidance_off_needs_no_negative(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        options: dict[str, Any] = {**SIZE, "seeds": [1], "num_inference_steps": 2}
        one = engine.denoise(embeds, None, guidance_scale=1.0, **options)
        two = engine.denoise(embeds, negative, guidance_scale=1.0, **options)
        assert np.array_equal(one, two)
        with pytest.raises(kandinsky.InvalidArgumentError):
            engine.denoise(embeds, None, guidance_scale=4.0, **options)

    def test_batch_sizes_must_agree(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        with pytest.raises(kandinsky.InvalidArgumentError):
            engine.denoise(embeds, negative, **SIZE, seeds=[1, 2])

    def test_pictures_to_latents(self, engine: Engine) -> None:
        pictures = np.random.default_rng(0).integers(0, 256, (2, 70, 65, 3), dtype=np.uint8)
        latents = engine.encode(pictures)
        assert latents.shape == (2, 4, 16, 16)
        assert np.array_equal(engine.encode(pictures[1:])[0], latents[1])
        assert engine.decode(latents, width=65, height=70).shape == pictures.shape

    def test_results_are_the_callers(self, engine: Engine) -> None:
        first = paint(engine)
        kept = first.copy()
        assert first.flags.writeable
        paint(engine, seeds=[2])
        assert np.array_equal(first, kept)
        first[:] = 0
        assert np.array_equal(paint(engine), kept)

    def test_unload_and_go_on(self, engine: Engine) -> None:
        first = paint(engine)
        engine.unload()
        engine.unload()
        assert np.array_equal(paint(engine), first)


class TestEmbeds:
    def test_tensors(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(
            ["a", "b"], seeds=[1, 2], prior_num_inference_steps=2
        )
        assert embeds.batch_size == negative.batch_size == 2
        image = embeds.tensor("image_embeds")
        assert image.shape[0] == 2
        assert image.ndim == 2
        assert embeds.tensor("prompt_embeds").ndim == 2
        assert embeds.tensor("text_encoder_hidden_states").shape[:2] == (2, 77)
        image[:] = 0
        assert embeds.tensor("image_embeds").any()
        with pytest.raises(kandinsky.InvalidArgumentError, match="no_such"):
            embeds.tensor("no_such")

    def test_saved_and_loaded(self, engine: Engine, model: Path, tmp_path: Path) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        path = tmp_path / "a.safetensors"
        path.write_text("old")
        embeds.save(path)
        again = kandinsky.Embeds.load(path)
        for name in ("image_embeds", "prompt_embeds", "text_encoder_hidden_states"):
            assert np.array_equal(again.tensor(name), embeds.tensor(name))
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]
        with Engine(model, precision="fp32") as other:
            options: dict[str, Any] = {**SIZE, "seeds": [1], "num_inference_steps": 2}
            one = other.denoise(again, negative, **options)
        assert np.array_equal(one, engine.denoise(embeds, negative, **options))
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(kandinsky.CorruptFileError, match="safetensors"):
            kandinsky.Embeds.load(path)
        with pytest.raises(kandinsky.KandinskyError):
            embeds.save(tmp_path / "none" / "a.safetensors")

    def test_combined(self, engine: Engine) -> None:
        one, zero = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        two, _ = engine.encode_prompts(["b"], seeds=[2], prior_num_inference_steps=2)
        mixed = kandinsky.Embeds.combine([one, two], [0.25, np.float32(2)])
        expected = 0.25 * one.tensor("image_embeds") + 2 * two.tensor("image_embeds")
        assert np.allclose(mixed.tensor("image_embeds"), expected, atol=1e-5)
        assert np.array_equal(mixed.tensor("prompt_embeds"), one.tensor("prompt_embeds"))
        for weights in ([1.0], [1.0, float("nan")], [1.0, float("inf")]):
            with pytest.raises(kandinsky.InvalidArgumentError):
                kandinsky.Embeds.combine([one, two], weights)
        pair, _ = engine.encode_prompts(["a", "b"], seeds=[1, 2], prior_num_inference_steps=2)
        both = kandinsky.Embeds.combine([one, pair], [1.0, 1.0]).tensor("image_embeds")
        assert np.allclose(
            both, one.tensor("image_embeds") + pair.tensor("image_embeds"), atol=1e-5
        )
        three = kandinsky.Embeds.concat([one, pair])
        with pytest.raises(kandinsky.InvalidArgumentError):
            kandinsky.Embeds.combine([pair, three], [1.0, 1.0])
        del zero


class TestCallbacks:
    def test_progress_counts_every_stage(self, engine: Engine) -> None:
        seen: list[Progress] = []
        engine.on_progress = seen.append  # type: ignore[assignment]
        paint(engine, num_inference_steps=3, prior_num_inference_steps=2)
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
        assert paint(engine, num_inference_steps=50).shape == (1, NATIVE_SIZE, NATIVE_SIZE, 3)
        assert steps[-1] == 3

    @pytest.mark.parametrize("stage", ["load", "text_encoder", "prior", "denoise", "decode"])
    def test_cancel_in_every_stage(self, engine: Engine, stage: str) -> None:
        expected = paint(engine, seeds=[9])
        engine.unload()

        def cancel(progress: Progress) -> Action | None:
            return Action.CANCEL if progress.stage == stage else None

        engine.on_progress = cancel
        with pytest.raises(kandinsky.CancelledError):
            paint(engine)
        engine.on_progress = None
        assert np.array_equal(paint(engine, seeds=[9]), expected)

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
            paint(engine)
        assert caught.value is error
        engine.on_progress = None
        paint(engine)

    def test_exception_of_on_message_comes_out(self, engine: Engine) -> None:
        def fail(message: str) -> None:
            raise LookupError(message)

        engine.on_message = fail
        with pytest.raises(LookupError, match="were left out"):
            engine.text_to_image(["red circle " * 500], seeds=[1], **SIZE, **FEW)

    def test_odd_result_is_an_error(self, engine: Engine) -> None:
        engine.on_progress = lambda progress: 17  # type: ignore[assignment,return-value]
        with pytest.raises(ValueError, match="17"):
            paint(engine)

    def test_engine_is_busy_inside_its_callback(self, engine: Engine) -> None:
        outcomes: list[type] = []

        def call_again(progress: Progress) -> None:
            for call in (lambda: paint(engine), engine.unload):
                with pytest.raises(kandinsky.KandinskyError) as caught:
                    call()
                outcomes.append(caught.type)

        engine.on_progress = call_again
        paint(engine)
        assert set(outcomes) == {kandinsky.BusyError}

    def test_ctrl_c_ends_the_job(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: reached.wait(60) and _thread.interrupt_main())
        with pytest.raises(KeyboardInterrupt):
            paint(engine, **LONG)
        worker.finish()
        engine.on_progress = None
        paint(engine)

    def test_callbacks_do_not_keep_the_engine_alive(self, model: Path) -> None:
        def used() -> weakref.ref[Engine]:
            engine = Engine(model)
            engine.on_progress = lambda progress: engine.cancel()
            with pytest.raises(kandinsky.CancelledError):
                paint(engine)
            return weakref.ref(engine)

        gone = used()
        gc.collect()
        assert gone() is None


class TestThreads:
    def test_another_thread_gets_the_same_picture(self, engine: Engine) -> None:
        assert np.array_equal(Worker(lambda: paint(engine)).finish(), paint(engine))

    def test_the_interpreter_goes_on_meanwhile(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: paint(engine, num_inference_steps=100))
        assert reached.wait(60)
        engine.on_progress = None
        turns = 0
        while worker.is_alive():
            turns += 1
            time.sleep(0.001)
        assert isinstance(worker.finish(), np.ndarray)
        assert turns > 10

    def test_cancelled_from_another_thread(self, engine: Engine) -> None:
        expected = paint(engine)
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: paint(engine, **LONG))
        assert reached.wait(60)
        engine.cancel()
        started = time.monotonic()
        assert isinstance(worker.finish(), kandinsky.CancelledError)
        assert time.monotonic() - started < 10
        engine.on_progress = None
        engine.cancel()
        assert np.array_equal(paint(engine), expected)

    def test_second_job_is_told_busy(self, engine: Engine) -> None:
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: paint(engine, **LONG))
        assert reached.wait(60)
        picture = np.zeros((1, 64, 64, 3), np.uint8)
        for call in (lambda: paint(engine), engine.unload, lambda: engine.encode(picture)):
            with pytest.raises(kandinsky.BusyError):
                call()
        assert engine.info.native_size == NATIVE_SIZE
        engine.cancel()
        assert isinstance(worker.finish(), kandinsky.CancelledError)

    def test_closed_while_working(self, model: Path) -> None:
        engine = Engine(model)
        reached = signal_at(engine, "denoise")
        worker = Worker(lambda: paint(engine, **LONG))
        assert reached.wait(60)
        engine.close()
        assert isinstance(worker.finish(), kandinsky.CancelledError)
        with pytest.raises(kandinsky.InvalidArgumentError, match="closed"):
            paint(engine)

    def test_two_engines_at_once(self, model: Path) -> None:
        with Engine(model, precision="fp32") as one, Engine(model, precision="fp32") as two:
            expected = [paint(one, seeds=[i], num_inference_steps=10) for i in range(2)]
            workers = [
                Worker(lambda e=engine, i=i: paint(e, seeds=[i], num_inference_steps=10))
                for i, engine in enumerate((one, two))
            ]
            for worker, picture in zip(workers, expected, strict=True):
                assert np.array_equal(worker.finish(), picture)

    def test_torch_of_the_process_is_left_alone(self, engine: Engine) -> None:
        import torch  # noqa: PLC0415

        torch.manual_seed(5)
        before = (torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype())
        paint(engine)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (torch.get_num_threads(), torch.get_default_dtype()) == before[1:]
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


class TestMemory:
    """RSS settles after a few runs; the limits are far below twenty times any leaked thing."""

    def test_twenty_pictures(self, engine: Engine) -> None:
        for _ in range(5):
            paint(engine)
        before = resident_mb()
        for seed in range(20):
            paint(engine, seeds=[seed])
        assert resident_mb() - before < 10

    def test_twenty_engines(self, model: Path) -> None:
        """The tiny models have 14 MB of weights."""

        def cycle() -> None:
            with Engine(model) as engine:
                paint(engine)
                engine.unload()
                paint(engine)

        for _ in range(5):
            cycle()
        before = resident_mb()
        for _ in range(20):
            cycle()
        assert resident_mb() - before < 30

    def test_twenty_failures(self, engine: Engine) -> None:
        def fail(progress: Progress) -> None:
            if progress.stage == "denoise" and progress.step == 1:
                raise LookupError

        paint(engine)
        engine.on_progress = fail
        before = resident_mb()
        for _ in range(20):
            with pytest.raises(LookupError):
                paint(engine)
        assert resident_mb() - before < 10


class TestPictureFiles:
    def test_parameters_text(self, tmp_path: Path) -> None:
        picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        text = 'красный круг\nNegative prompt: 円\nSteps: 2, Model: "a, b"'
        kandinsky.save_picture(tmp_path / "x.png", picture, text)
        with Image.open(tmp_path / "x.png") as opened:
            assert np.array_equal(np.asarray(opened), picture)
            assert opened.info["parameters"] == text

    def test_latin_text_reads_in_every_host(self, tmp_path: Path) -> None:
        kandinsky.save_picture(tmp_path / "x.png", np.zeros((2, 2, 3), np.uint8), "a, b: c")
        with Image.open(tmp_path / "x.png") as opened:
            assert opened.text["parameters"] == "a, b: c"  # type: ignore[attr-defined]
