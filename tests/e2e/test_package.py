"""The Python package on a tiny model: what it offers, stages, embeds, image files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import NATIVE_SIZE, PYTHON_DIR, UNET_WEIGHTS, copy_models
from support.generation import FEW, SIZE, generate

import kandinsky_engine as kandinsky
from kandinsky_engine import Engine
from kandinsky_engine.get import known

ROOT = Path(__file__).parents[2]


class TestWhatThereIs:
    def test_versions_and_lists(self) -> None:
        import torch  # noqa: PLC0415

        assert kandinsky.__version__.count(".") == 2
        assert kandinsky.torch_version == torch.__version__.partition("+")[0]
        assert "DDIM" in kandinsky.samplers()
        assert set(kandinsky.families()) == set(known.FAMILIES)

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

    def test_a_folder_is_recognized_by_its_index_alone(self, model: Path, tmp_path: Path) -> None:
        family = "kandinsky-2-1"
        demo = ROOT / "demo" / "model" / "kandinsky-demo"
        for suffix, role in ("", "model"), ("-prior", "prior"), ("-inpaint", "inpaint"):
            folder = demo.with_name(demo.name + suffix)
            assert kandinsky.recognize_folder(folder) == (family, role)
        index = tmp_path / "model_index.json"
        index.write_text((model / "model_index.json").read_text())
        assert kandinsky.recognize_folder(tmp_path) == (family, "model")
        index.write_text('{"_class_name": "StableDiffusionPipeline"}')
        assert kandinsky.recognize_folder(tmp_path) == ("", "")
        index.write_text("{")
        with pytest.raises(kandinsky.CorruptFileError, match="model_index"):
            kandinsky.recognize_folder(tmp_path)

    def test_a_folders_digest_tells_its_weights(self, model: Path, tmp_path: Path) -> None:
        first = kandinsky.folder_digest(model)
        assert re.fullmatch("[0-9a-f]{64}", first)
        copy = shutil.copytree(model, tmp_path / "copy")
        assert kandinsky.folder_digest(copy) == first
        with (copy / UNET_WEIGHTS).open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
        assert kandinsky.folder_digest(copy) != first
        with pytest.raises(kandinsky.NotFoundError, match="model_index"):
            kandinsky.folder_digest(tmp_path)

    def test_info(self, engine: Engine, model: Path) -> None:
        info = engine.info
        assert info.family == "kandinsky-2-1"
        assert info.precision == "fp32"
        assert info.reason
        assert Path(info.prior_dir) == model.with_name(f"{model.name}-prior")
        assert info.native_size == NATIVE_SIZE
        assert (info.latent_channels, info.latent_factor, info.size_multiple) == (4, 8, 64)

    def test_int8_weights(self, engine: Engine, model: Path) -> None:
        with Engine(model, precision="fp32", int8_weights=True) as small:
            assert small.plan_memory(**SIZE).peak < engine.plan_memory(**SIZE).peak
            options: dict[str, Any] = {"seeds": [1], "prior_num_inference_steps": 2}
            for rounded, exact in zip(
                small.encode_prompts(["a red circle"], **options),
                engine.encode_prompts(["a red circle"], **options),
                strict=True,
            ):
                near, wanted = (side.tensor("prompt_embeds") for side in (rounded, exact))
                difference = np.abs(near - wanted).max()
                assert 0 < difference < 0.05 * np.abs(wanted).max()

    def test_prior_device(self, engine: Engine, model: Path) -> None:
        with Engine(model, precision="fp32", prior_device="cpu") as other:
            assert np.array_equal(generate(other), generate(engine))
        with pytest.raises(kandinsky.InvalidArgumentError, match="moon"):
            Engine(model, prior_device="moon")

    def test_memory_plan(self, engine: Engine, model: Path) -> None:
        plan = engine.plan_memory(**SIZE)
        assert plan.holds_everything
        assert plan.least <= plan.peak <= plan.budget
        assert "everything stays loaded" in plan.text
        with Engine(model, precision="fp32", max_memory=plan.least) as tight:
            assert tight.plan_memory(**SIZE).budget == plan.least
            said: list[str] = []
            tight.on_message = said.append
            difference = generate(tight).astype(int) - generate(engine)
            assert abs(difference).max() <= 1, "the same but for rounding"
            assert [text.partition(":")[0] for text in said] == [
                f"Memory within {plan.least / 1e6:.0f} MB"
            ]
        with (
            Engine(model, precision="fp32", max_memory=plan.least - 1) as small,
            pytest.raises(kandinsky.OutOfMemoryError, match="at least"),
        ):
            generate(small)

    def test_prior_folder_is_obeyed(self, model: Path, tmp_path: Path) -> None:
        copy = copy_models(model, tmp_path)
        prior = (tmp_path / f"{model.name}-prior").rename(tmp_path / "elsewhere")
        with pytest.raises(kandinsky.NotFoundError, match="-prior"):
            Engine(copy)
        with Engine(copy, prior) as engine:
            assert Path(engine.info.prior_dir) == prior


class TestStages:
    def test_whole_task_is_its_stages(self, engine: Engine) -> None:
        whole = generate(engine, seeds=[7], width=70, height=100)
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
    def test_batch_equals_single_images(self, engine: Engine, negative: list[str] | None) -> None:
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
        """They differ only where the prior makes an image embedding of the empty one."""
        options: dict[str, Any] = {**SIZE, **FEW, "negative_image": negative_image}
        images = [
            engine.text_to_image(["a"], negative, seeds=[1], **options)
            for negative in (None, [""], ["blue"])
        ]
        assert len({image.tobytes() for image in images}) == kinds

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

    def test_images_to_latents(self, engine: Engine) -> None:
        images = np.random.default_rng(0).integers(0, 256, (2, 70, 65, 3), dtype=np.uint8)
        latents = engine.encode(images)
        assert latents.shape == (2, 4, 16, 16)
        assert np.array_equal(engine.encode(images[1:])[0], latents[1])
        assert engine.decode(latents, width=65, height=70).shape == images.shape

    def test_results_are_the_callers(self, engine: Engine) -> None:
        first = generate(engine)
        kept = first.copy()
        assert first.flags.writeable
        generate(engine, seeds=[2])
        assert np.array_equal(first, kept)
        first[:] = 0
        assert np.array_equal(generate(engine), kept)

    def test_unload_and_go_on(self, engine: Engine) -> None:
        first = generate(engine)
        engine.unload()
        engine.unload()
        assert np.array_equal(generate(engine), first)


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


class TestImageFiles:
    def test_parameters_text(self, tmp_path: Path) -> None:
        image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        text = 'красный круг\nNegative prompt: 円\nSteps: 2, Model: "a, b"'
        kandinsky.save_image(tmp_path / "x.png", image, text)
        with Image.open(tmp_path / "x.png") as opened:
            assert np.array_equal(np.asarray(opened), image)
            assert opened.info["parameters"] == text

    def test_latin_text_reads_in_every_host(self, tmp_path: Path) -> None:
        kandinsky.save_image(tmp_path / "x.png", np.zeros((2, 2, 3), np.uint8), "a, b: c")
        with Image.open(tmp_path / "x.png") as opened:
            assert opened.text["parameters"] == "a, b: c"  # type: ignore[attr-defined]


class TestGet:
    """python -m kandinsky_engine get; tests/unit/get has the rest."""

    def run(self, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kandinsky_engine", *arguments],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(PYTHON_DIR), "HF_HUB_CACHE": str(place)},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_it_lists_what_the_engine_generates_with(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "get", "--list")
        assert (done.returncode, done.stderr) == (0, "")
        lines = {line.split(" ")[0]: line for line in done.stdout.splitlines()}
        assert lines["2.1"].endswith("no    Kandinsky 2.1")
        assert "yes" in lines["demo"].split(), "the clone's own, found from the build"
        usable = "kandinsky-2-2" in kandinsky.families()
        assert ("this version supports" in lines["2.2"]) != usable

    def test_wrong_usage(self, tmp_path: Path) -> None:
        for arguments in ([], ["fetch"], ["get", "none"]):
            done = self.run(tmp_path, *arguments)
            assert (done.returncode, done.stdout) == (2, "")
        assert self.run(tmp_path, "--help").stdout.startswith("usage: python -m kandinsky_engine")
