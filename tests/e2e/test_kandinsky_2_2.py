"""Kandinsky 2.2 on tiny models, as people use it: every mode, batches, mistakes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import DEPTH_2_2, MODEL_2_2, NATIVE_SIZE, run_program
from support.kandinsky_2_2 import (
    FEW,
    PRIOR_STEPS,
    PROMPT,
    SIZE,
    image_to_image,
    mask,
    scene,
    text_to_image,
)

import kandinsky_engine as kandinsky
from kandinsky_engine import Embeds, Engine


@pytest.fixture(scope="module")
def engine(kandinsky_2_2: Path) -> Iterator[Engine]:
    with Engine(kandinsky_2_2 / MODEL_2_2, precision="fp32") as engine:
        yield engine


@pytest.fixture(scope="module")
def depth_engine(kandinsky_2_2: Path) -> Iterator[Engine]:
    with Engine(kandinsky_2_2 / DEPTH_2_2, precision="fp32") as engine:
        yield engine


class TestModes:
    def test_text_to_image(self, engine: Engine) -> None:
        images = text_to_image(engine, (1, 2))
        assert images.shape == (2, NATIVE_SIZE, NATIVE_SIZE, 3)
        assert np.array_equal(images[1], text_to_image(engine, (2,))[0])
        assert not np.array_equal(images[0], images[1])

    def test_the_sampler_is_by_default_that_of_diffusers(self, engine: Engine) -> None:
        assert engine.info.own_sampler == "DDPM"
        images = {
            given: text_to_image(engine, **options).tobytes()
            for given, options in {
                "nothing": {},
                "automatic": {"sampler": "automatic"},
                "DDPM": {"sampler": "DDPM"},
                "DDIM": {"sampler": "DDIM"},
            }.items()
        }
        assert images["nothing"] == images["automatic"] == images["DDPM"] != images["DDIM"]

    def test_its_parameters_name_the_sampler(self, kandinsky_2_2: Path, tmp_path: Path) -> None:
        few = ("--cfg-scale", "1", "--steps", "2", "--prior-steps", "2", "--quiet")
        done = run_program(
            *("txt2img", "--model", kandinsky_2_2 / MODEL_2_2, "--prompt", "a"),
            *(*few, "--output", tmp_path / "a.png"),
        )
        assert done.returncode == 0, done.stderr
        with Image.open(tmp_path / "a.png") as image:
            assert "Sampler: DDPM," in image.info["parameters"]

    def test_image_to_image(self, engine: Engine) -> None:
        images = image_to_image(engine, (1, 2), images=[scene(), 255 - scene()], strength=0.7)
        alone = image_to_image(engine, (2,), images=[255 - scene()], strength=0.7)
        assert np.array_equal(images[1], alone[0])

    @pytest.mark.parametrize("method", ["model", "blend"])
    def test_each_image_has_its_own_mask(self, engine: Engine, method: str) -> None:
        options = {"strength": 1.0, "mask_method": method, "mask_blur": 0}
        images = image_to_image(engine, (1, 2), masks=[mask(0), mask(32)], **options)
        alone = image_to_image(engine, (2,), masks=[mask(32)], **options)
        assert np.array_equal(images[1], alone[0])
        is_kept = mask(32) == 0
        assert np.array_equal(images[1][is_kept], scene()[is_kept])
        assert not np.array_equal(images[1], scene())

    def test_mixes_and_variations(self, engine: Engine) -> None:
        seen = engine.encode_images([scene()])
        text, negative = engine.encode_prompts([PROMPT], seeds=[1], **PRIOR_STEPS)
        mix = Embeds.combine([text, seen], [0.4, 0.6])
        images = [
            engine.generate(embeds, negative, seeds=[1], **FEW) for embeds in (text, seen, mix)
        ]
        assert len({image.tobytes() for image in images}) == 3
        with pytest.raises(kandinsky.InvalidArgumentError, match="prompt_embeds"):
            mix.tensor("prompt_embeds")

    def test_the_prior_starts_from_an_image(self, engine: Engine) -> None:
        seen = engine.encode_images([scene()]).tensor("image_embeds")
        plain = {"prior_num_inference_steps": 10, "prior_images": [scene()]}
        near, far = (
            np.abs(
                engine.encode_prompts([PROMPT], seeds=[1], prior_strength=strength, **plain)[
                    0
                ].tensor("image_embeds")
                - seen
            ).mean()
            for strength in (0.1, 1.0)
        )
        assert near < far
        with pytest.raises(kandinsky.InvalidArgumentError, match=r"prior_strength is 0\.05, which"):
            engine.encode_prompts([PROMPT], seeds=[1], prior_strength=0.05, **plain)

    def test_hints(self, depth_engine: Engine) -> None:
        assert depth_engine.info.takes_hints
        images = text_to_image(depth_engine, (1, 2), hints=[scene(), 255 - scene()])
        assert np.array_equal(
            images[1], text_to_image(depth_engine, (2,), hints=[255 - scene()])[0]
        )
        assert not np.array_equal(images[1], text_to_image(depth_engine, (2,), hints=[scene()])[0])
        from_image = image_to_image(depth_engine, hints=[scene()], strength=0.7)
        assert not np.array_equal(from_image, images[:1])
        masked = image_to_image(depth_engine, hints=[scene()], masks=[mask(0)], mask_blur=0)
        is_kept = mask(0) == 0
        assert np.array_equal(masked[0][is_kept], scene()[is_kept])

    def test_a_hint_of_another_size_is_stretched(self, depth_engine: Engine) -> None:
        large = np.repeat(np.repeat(scene(), 3, axis=0), 2, axis=1)
        shrunk = Image.fromarray(large).resize(SIZE.values(), Image.Resampling.LANCZOS)
        assert np.array_equal(
            text_to_image(depth_engine, hints=[large]),
            text_to_image(depth_engine, hints=[np.asarray(shrunk)]),
        )

    def test_sizes_that_are_no_multiples(self, depth_engine: Engine) -> None:
        images = text_to_image(depth_engine, hints=[scene(50, 90)], width=90, height=50)
        assert images.shape == (1, 50, 90, 3)

    def test_tiling(self, depth_engine: Engine) -> None:
        plain, tiled = (
            text_to_image(depth_engine, hints=[scene()], tiling=tiling) for tiling in (False, True)
        )
        assert not np.array_equal(plain, tiled)

    def test_every_sampler(self, engine: Engine) -> None:
        images = [
            text_to_image(engine, sampler=sampler).tobytes() for sampler in kandinsky.samplers()
        ]
        assert len(set(images)) == len(images)

    @pytest.mark.parametrize("options", [{"cache_interval": 2}, {"forecast": True}])
    def test_approximations(self, depth_engine: Engine, options: dict[str, Any]) -> None:
        common = {"hints": [scene()], "hint_end": 0.5, "num_inference_steps": 12}
        exact = text_to_image(depth_engine, **common)
        assert not np.array_equal(exact, text_to_image(depth_engine, **common, **options))


def close(image: np.ndarray, other: np.ndarray) -> bool:
    return int(np.abs(image.astype(int) - other.astype(int)).max()) <= 1


class TestMemoryAndSpeed:
    def test_little_memory(self, kandinsky_2_2: Path, engine: Engine) -> None:
        least = engine.plan_memory(**SIZE).least
        with Engine(kandinsky_2_2 / MODEL_2_2, precision="fp32", max_memory=least) as small:
            assert "layer by layer" in small.plan_memory(**SIZE).text
            assert close(text_to_image(small), text_to_image(engine))

    def test_a_plan_with_depth_control_needs_no_hint(
        self, kandinsky_2_2: Path, depth_engine: Engine
    ) -> None:
        done = run_program("info", kandinsky_2_2 / DEPTH_2_2, "--max-memory=2GB")
        assert done.returncode == 0, done.stderr
        assert "plan" in done.stdout
        least = depth_engine.plan_memory(**SIZE).least
        hinted = {"hints": [scene()]}
        with Engine(kandinsky_2_2 / DEPTH_2_2, precision="fp32", max_memory=least) as small:
            assert "layer by layer" in small.plan_memory(**SIZE).text
            assert close(text_to_image(small, **hinted), text_to_image(depth_engine, **hinted))

    def test_exact_speed_ups(self, kandinsky_2_2: Path, depth_engine: Engine) -> None:
        names = list(kandinsky.speedups())
        with Engine(kandinsky_2_2 / DEPTH_2_2, precision="fp32", without=names) as plain:
            assert close(
                text_to_image(plain, hints=[scene()]), text_to_image(depth_engine, hints=[scene()])
            )

    def test_int8_weights(self, kandinsky_2_2: Path, engine: Engine) -> None:
        with Engine(kandinsky_2_2 / MODEL_2_2, precision="fp32", int8_weights=True) as smaller:
            assert not np.array_equal(text_to_image(smaller), text_to_image(engine))


class TestBatch:
    def test_lines_have_hints_and_images_for_the_prior(
        self, kandinsky_2_2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Several at once, each the image of its own command."""
        # Two threads that wait for each other would keep other programs from working.
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
        model = kandinsky_2_2 / DEPTH_2_2
        own = {"one.png": scene(), "other.png": 255 - scene()}
        for name, pixels in own.items():
            Image.fromarray(pixels).save(tmp_path / name)
        few = {"width": 64, "height": 64, "num_inference_steps": 2, "prior_num_inference_steps": 4}
        lines = [
            {
                "prompt": "x",
                "seed": 1,
                "hint": name,
                "prior_image": "one.png",
                "id": name[:-4],
                **few,
            }
            for name in own
        ]
        jobs = tmp_path / "jobs.jsonl"
        jobs.write_text("".join(json.dumps(line) + "\n" for line in lines))
        exact = ("--model", model, "--precision=fp32")
        done = run_program("batch", jobs, *exact, "--threads=2", "--output", tmp_path / "made")
        assert done.returncode == 0, done.stderr
        size = ("--width=64", "--height=64", "--steps=2", "--prior-steps=4", "--threads=2")
        made = {}
        for name in own:
            images = ("--hint", tmp_path / name, "--prior-image", tmp_path / "one.png")
            out = tmp_path / f"alone-{name}"
            command = ("txt2img", *exact, *size, *images, "--prompt=x", "--seed=1")
            assert run_program(*command, "--output", out).returncode == 0
            made[name] = (tmp_path / "made" / name).read_bytes()
            assert made[name] == out.read_bytes()
        assert made["one.png"] != made["other.png"]
        bad = tmp_path / "bad.jsonl"
        bad.write_text(json.dumps({"prompt": "x", "hnit": "one.png"}) + "\n")
        done = run_program("batch", bad, *exact, "--output", tmp_path / "none")
        assert 'there is no option "hnit"; did you mean "hint"?' in done.stderr


class TestHintMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "needs a hint"),
            ({"hints": [scene(9000, 1)]}, "hints: 1 x 9000 pixels"),
            ({"hints": [scene()] * 3}, "there are 3 hints for 1 images"),
            ({"hints": [scene()], "hint_start": 0.8, "hint_end": 0.2}, "the hint starts at 0.8"),
        ],
    )
    def test_with_a_model_that_takes_them(
        self, depth_engine: Engine, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(kandinsky.InvalidArgumentError, match=message):
            text_to_image(depth_engine, **options)

    def test_with_a_model_that_takes_none(self, engine: Engine) -> None:
        with pytest.raises(
            kandinsky.InvalidArgumentError, match="hints: this model does not use them"
        ):
            text_to_image(engine, hints=[scene()])

    def test_with_the_inpainting_model(self, depth_engine: Engine) -> None:
        with pytest.raises(kandinsky.InvalidArgumentError, match="works without hints only"):
            image_to_image(depth_engine, hints=[scene()], masks=[mask(0)], mask_method="model")


class TestProgram:
    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        Image.fromarray(scene()).save(tmp_path / "image.png")
        Image.fromarray(mask(8)).save(tmp_path / "mask.png")
        return tmp_path

    @pytest.mark.parametrize(
        ("command", "model", "options"),
        [
            ("txt2img", MODEL_2_2, []),
            ("txt2img", MODEL_2_2, ["--prior-image", "image.png", "--prior-strength", "0.5"]),
            ("txt2img", DEPTH_2_2, ["--hint", "image.png", "--hint-end", "0.7"]),
            ("img2img", DEPTH_2_2, ["--hint", "image.png", "--image", "image.png"]),
            ("inpaint", MODEL_2_2, ["--image", "image.png", "--mask", "mask.png"]),
            ("mix", MODEL_2_2, ["--text", "a cat", "--image", "image.png", "--weight", "0.5"]),
        ],
    )
    def test_commands(
        self, kandinsky_2_2: Path, files: Path, command: str, model: str, options: list[str]
    ) -> None:
        paths = [files / word if word.endswith(".png") else word for word in options]
        prompt = [] if command == "mix" else ["--prompt", PROMPT]
        result = run_program(
            *(command, "--model", kandinsky_2_2 / model, *prompt, *paths, "--steps", "2"),
            *("--prior-steps", "2", "--seed", "1", "--output", files / "out.png", "--quiet"),
        )
        assert result.returncode == 0, result.stderr
        with Image.open(files / "out.png") as image:
            assert image.size == (NATIVE_SIZE, NATIVE_SIZE)
            text = image.text["parameters"]
            assert np.asarray(image).std() > 5
        if "--hint-end" in options:
            assert "Kandinsky hint: image.png, Kandinsky hint end: 0.7" in text
        if "--prior-strength" in options:
            assert "Kandinsky prior image: image.png" in text
            assert "Kandinsky prior strength: 0.5" in text

    def test_a_missing_hint(self, kandinsky_2_2: Path, files: Path) -> None:
        common = ["txt2img", "--prompt", PROMPT, "--output", files / "out.png", "--quiet"]
        without = run_program(*common, "--model", kandinsky_2_2 / DEPTH_2_2)
        assert without.returncode == 2, without.stderr
        assert "needs a hint" in without.stderr
        lost = run_program(
            *common, "--model", kandinsky_2_2 / DEPTH_2_2, "--hint", files / "no.png"
        )
        assert lost.returncode == 3, lost.stderr
        assert "no.png" in lost.stderr

    def test_models_of_other_families_are_named(self, kandinsky_2_2: Path, files: Path) -> None:
        result = run_program(
            *(
                "txt2img",
                "--model",
                kandinsky_2_2 / MODEL_2_2,
                "--prior",
                kandinsky_2_2 / MODEL_2_2,
            ),
            *("--prompt", PROMPT, "--output", files / "out.png"),
        )
        assert result.returncode != 0
        assert f"{MODEL_2_2} is not a Kandinsky 2.2 prior" in result.stderr
