"""The package on a tiny model: generating from images, under masks, from mixes, by conditions."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import DEPTH_2_2, INPAINT, NATIVE_SIZE

import kandinsky_engine as kandinsky
from kandinsky_engine import Condition, Embeds, Engine

SIZE = {"width": NATIVE_SIZE, "height": NATIVE_SIZE}
FEW: dict[str, Any] = {**SIZE, "num_inference_steps": 4}
PRIOR: dict[str, Any] = {"prior_num_inference_steps": 2}


@pytest.fixture(scope="module")
def engine(inpaint_model: Path) -> Iterator[Engine]:
    with Engine(inpaint_model, precision="fp32") as engine:
        yield engine


def scene(height: int = NATIVE_SIZE, width: int = NATIVE_SIZE, channels: int = 3) -> np.ndarray:
    rows, columns, colours = np.ogrid[:height, :width, :channels]
    return (3 * columns + 2 * rows * (colours + 1) + 40 * colours).astype(np.uint8)


def right_half() -> np.ndarray:
    mask = np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)
    mask[:, NATIVE_SIZE // 2 :] = 255
    return mask


def generate(engine: Engine, **options: Any) -> np.ndarray:
    return engine.image_to_image(["a red circle"], **{"seeds": [1], **FEW, **PRIOR, **options})


Call = Callable[..., np.ndarray]


def text_to_image(engine: Engine, **options: Any) -> np.ndarray:
    given = {"prompts": ["a red circle"], "seeds": [1], **FEW, **PRIOR, **options}
    return engine.text_to_image(**given)


def denoise(engine: Engine, **options: Any) -> np.ndarray:
    """One image from the first of two rows of embeds."""
    embeds, negative = engine.encode_prompts(["a", "b"], ["c", "d"], seeds=[1, 2], **PRIOR)
    first = [Condition(0, 0, 1, 4)]
    given = {"conditions": first, "negative_conditions": first, "seeds": [1], **FEW, **options}
    return engine.denoise(embeds, negative, **given)


def words(name: str) -> list[str]:
    """All but the default."""
    option = JOB_OPTIONS[name]
    return [word for word in option.words if word != option.default]


JOB_OPTIONS = {
    option.name: option
    for operation in kandinsky.operations()
    if operation != "engine"
    for option in kandinsky.options(operation)
}
FROM_IMAGE: dict[str, Any] = {"images": [scene()], "strength": 0.5}
MASKED: dict[str, Any] = {**FROM_IMAGE, "masks": [right_half()]}
NEGATIVE: dict[str, Any] = {"negative_prompts": ["blue"]}
MORE_PRIOR_STEPS: dict[str, Any] = {"prior_num_inference_steps": 4}
FORECAST: dict[str, Any] = {"forecast": True, "num_inference_steps": 12}
RESIZED: dict[str, Any] = {"seed_resize_width": 128, "seed_resize_height": 128}
NOISE = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)
# Of each option: a call, options to compare with, and values that each give something else.
EFFECTS: dict[str, tuple[Call, dict[str, Any], list[Any]]] = {
    "prompts": (text_to_image, {}, [["a blue square"]]),
    "negative_prompts": (text_to_image, {}, [["blue"]]),
    "negative_prior_prompts": (text_to_image, NEGATIVE, [["dark"]]),
    "negative_image": (text_to_image, NEGATIVE, words("negative_image")),
    "prior_num_inference_steps": (text_to_image, {}, [3]),
    "prior_guidance_scale": (text_to_image, {}, [2]),
    "prior_images": (text_to_image, MORE_PRIOR_STEPS, [[scene()], [scene(32, 96)]]),
    "prior_strength": (
        text_to_image,
        {**MORE_PRIOR_STEPS, "prior_images": [scene()]},
        [0.9],
    ),
    "hints": (text_to_image, {"hints": [scene()]}, [[scene(32, 96)]]),
    "hint_start": (text_to_image, {"hints": [scene()]}, [0.5]),
    "hint_end": (text_to_image, {"hints": [scene()]}, [0.5]),
    "parse_weights": (text_to_image, {"prompts": ["a (red:1.5) circle"]}, [False]),
    "long_prompts": (text_to_image, {"prompts": ["circle " * 100]}, [True]),
    "seeds": (text_to_image, {}, [[2]]),
    "width": (text_to_image, {}, [128]),
    "height": (text_to_image, {}, [128]),
    "tiling": (text_to_image, {}, [True]),
    "sampler": (text_to_image, {}, ["Euler", "Heun"]),
    "scheduler": (text_to_image, {"sampler": "Euler"}, ["Karras", "Exponential"]),
    "num_inference_steps": (text_to_image, {}, [5]),
    "guidance_scale": (text_to_image, {}, [7]),
    "guidance_rescale": (text_to_image, {}, [0.7]),
    "preset": (text_to_image, {}, ["fast"]),
    "sigmas": (text_to_image, {}, ["25, 5, 0.5, 0.1", "25, 4, 0.5, 0.1"]),
    "guidance_threshold": (text_to_image, {}, [0.5]),
    "guidance_start": (text_to_image, {}, [0.5]),
    "guidance_end": (text_to_image, {}, [0.5]),
    "cache_interval": (text_to_image, {}, [2]),
    "forecast": (text_to_image, {"num_inference_steps": 8}, [True]),
    "forecast_warmup": (text_to_image, FORECAST, [2]),
    "forecast_interval": (text_to_image, FORECAST, [3]),
    "forecast_growth": (text_to_image, FORECAST, [2]),
    "forecast_blend": (text_to_image, FORECAST, [0.9]),
    "conditions": (denoise, {}, [[Condition(1, 0, 1, 4)]]),
    "negative_conditions": (denoise, {}, [[Condition(1, 0, 1, 4)]]),
    "noise": (text_to_image, {}, [NOISE]),
    "variation_seeds": (
        text_to_image,
        {"variation_seeds": [2], "variation_strength": 0.5},
        [[3]],
    ),
    "variation_strength": (text_to_image, {"variation_seeds": [2]}, [0.5]),
    "seed_resize_width": (text_to_image, RESIZED, [64]),
    "seed_resize_height": (text_to_image, RESIZED, [64]),
    "strength": (generate, FROM_IMAGE, [0.75]),
    "init_noise": (generate, FROM_IMAGE, words("init_noise")),
    "init_latents": (denoise, {}, [NOISE]),
    "mask": (denoise, {"init_latents": NOISE}, [np.eye(8, dtype=np.float32)[None, None]]),
    "images": (generate, FROM_IMAGE, [[255 - scene()]]),
    "resize": (generate, {**FROM_IMAGE, "images": [scene(64, 96)]}, words("resize")),
    "masks": (generate, FROM_IMAGE, [[right_half()]]),
    "invert_mask": (generate, MASKED, [True]),
    "mask_blur": (generate, MASKED, [0]),
    "mask_fill": (generate, MASKED, words("mask_fill")),
    "mask_method": (generate, MASKED, ["blend"]),
    # A blurred border reaches as far as the reference's rule.
    "erode_mask": (generate, {**MASKED, "mask_blur": 0}, [False]),
    "composite": (generate, MASKED, [False]),
}


@pytest.fixture(scope="module")
def depth_engine(kandinsky_2_2: Path) -> Iterator[Engine]:
    with Engine(kandinsky_2_2 / DEPTH_2_2, precision="fp32") as engine:
        yield engine


@pytest.mark.parametrize("name", JOB_OPTIONS)
def test_every_option_matters(request: pytest.FixtureRequest, name: str) -> None:
    call, base, values = EFFECTS[name]
    engine = request.getfixturevalue("depth_engine" if "hints" in base else "engine")
    assert values
    seen = {call(engine, **{**base, **change}).tobytes()
            for change in ({}, *({name: value} for value in values))}  # fmt: skip
    assert len(seen) == len(values) + 1


class TestImageToImage:
    @pytest.mark.parametrize("channels", [0, 1, 3, 4])
    def test_strength_zero_gives_any_kind_of_image_back(
        self, engine: Engine, channels: int
    ) -> None:
        image = scene(channels=max(channels, 1))
        if channels == 4:
            image[..., 3] = 255
        given = image[..., 0].copy() if channels == 0 else image
        generated = generate(engine, images=[given], strength=0)
        expected = np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
        assert np.array_equal(generated[0], expected)

    def test_whole_task_is_its_stages(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a red circle"], seeds=[1], **PRIOR)
        options: dict[str, Any] = {**FEW, "seeds": [1], "strength": 0.5}
        whole = generate(engine, images=[scene()], strength=0.5)
        assert np.array_equal(engine.generate(embeds, negative, images=[scene()], **options), whole)
        latents = engine.denoise(
            embeds, negative, init_latents=engine.encode(scene()[None]), **options
        )
        assert np.array_equal(engine.decode(latents, **SIZE), whole)

    def test_a_batch_is_its_images_and_one_image_serves_all(self, engine: Engine) -> None:
        options: dict[str, Any] = {**FEW, **PRIOR, "strength": 0.5}
        images = [scene(), 255 - scene(40, 90)]
        batch = engine.image_to_image(["a", "b"], images=images, seeds=[3, 9], **options)
        for i, (prompt, seed) in enumerate((("a", 3), ("b", 9))):
            alone = engine.image_to_image([prompt], images=[images[i]], seeds=[seed], **options)
            assert np.array_equal(batch[i], alone[0])
        shared = engine.image_to_image(["a", "b"], images=images[:1], seeds=[3, 9], **options)
        assert np.array_equal(shared[0], batch[0])

    def test_each_distinct_image_is_encoded_once(self, engine: Engine) -> None:
        stages: list[tuple[int, int]] = []

        def count(progress: kandinsky.Progress) -> None:
            if progress.stage == "encode":
                stages.append((progress.step, progress.steps))

        engine.on_progress = count
        try:
            engine.image_to_image(
                ["a"] * 3, images=[scene()] * 3, seeds=[1, 2, 3], strength=0.5, **FEW, **PRIOR
            )
        finally:
            engine.on_progress = None
        assert stages[-1] == (1, 1)


class TestMasks:
    @pytest.mark.parametrize("method", ["auto", "model", "blend"])
    def test_outside_every_pixel_is_the_images(self, engine: Engine, method: str) -> None:
        options: dict[str, Any] = {"images": [scene()], "masks": [right_half()], "strength": 1}
        half = NATIVE_SIZE // 2
        generated = generate(engine, **options, mask_blur=0, mask_method=method)[0]
        assert np.array_equal(generated[:, :half], scene()[:, :half])
        assert not np.array_equal(generated[:, half:], scene()[:, half:])

    def test_black_keeps_everything_and_white_nothing(self, engine: Engine) -> None:
        black = np.zeros_like(right_half())
        options: dict[str, Any] = {"images": [scene()], "strength": 1}
        assert np.array_equal(generate(engine, masks=[black], **options)[0], scene())
        white = generate(engine, masks=[255 - black], **options)
        inverted = generate(engine, masks=[black], invert_mask=True, **options)
        assert np.array_equal(white, inverted)
        assert not np.array_equal(white[0], scene())

    def test_the_inpainting_model_is_found_given_or_left_out(
        self, model: Path, inpaint_model: Path
    ) -> None:
        beside = inpaint_model.with_name(INPAINT)
        with Engine(inpaint_model) as found, Engine(model, inpaint_dir=beside) as given:
            assert Path(found.info.inpaint_dir) == Path(given.info.inpaint_dir) == beside
        with Engine(inpaint_model, inpaint_dir="") as none, Engine(model) as absent:
            assert none.info.inpaint_dir == absent.info.inpaint_dir == ""
            with pytest.raises(kandinsky.KandinskyError, match="inpaint"):
                generate(none, images=[scene()], masks=[right_half()], mask_method="model")

    def test_masks_need_images(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], **PRIOR)
        with pytest.raises(kandinsky.InvalidArgumentError, match="masks"):
            engine.generate(embeds, negative, masks=[right_half()], seeds=[1], **FEW)
        mask = np.ones((1, 1, 8, 8), np.float32)
        with pytest.raises(kandinsky.InvalidArgumentError, match="mask"):
            engine.denoise(embeds, negative, mask=mask, seeds=[1], **FEW)


class TestMixing:
    def test_images_become_embeds(self, engine: Engine) -> None:
        grey, other = scene(30, 50, 1)[..., 0], scene(channels=4)
        both = engine.encode_images([grey, other])
        assert both.batch_size == 2
        alone = engine.encode_images([other])
        assert np.array_equal(both.select([1]).tensor("image_embeds"), alone.tensor("image_embeds"))
        image = engine.generate(alone, None, seeds=[1], guidance_scale=1, **FEW)
        assert len(np.unique(image)) > 10

    def test_rows_are_joined_and_chosen(self, engine: Engine) -> None:
        one, _ = engine.encode_prompts(["a"], seeds=[1], **PRIOR)
        two = engine.encode_images([scene()])
        joined = Embeds.concat([one, two, one])
        rows = joined.tensor("image_embeds")
        assert rows.shape[0] == joined.batch_size == 3
        assert np.array_equal(rows[0], rows[2])
        assert np.array_equal(joined.select([1, np.int64(0)]).tensor("image_embeds"), rows[[1, 0]])
        for wrong in ([3], [-1], []):
            with pytest.raises(kandinsky.InvalidArgumentError):
                joined.select(wrong)

    def test_sum_and_slerp(self, engine: Engine) -> None:
        text, _ = engine.encode_prompts(["a", "b"], seeds=[1, 2], **PRIOR)
        image = engine.encode_images([scene()])
        total = Embeds.combine([text, image], [0.5, -1.5], text=text)
        expected = 0.5 * text.tensor("image_embeds") - 1.5 * image.tensor("image_embeds")
        assert np.allclose(total.tensor("image_embeds"), expected, atol=1e-5)
        assert np.array_equal(total.tensor("prompt_embeds"), text.tensor("prompt_embeds"))
        alone = Embeds.combine([text, image], [1, 0])
        assert np.array_equal(alone.tensor("image_embeds"), text.tensor("image_embeds"))
        slerp = Embeds.combine([text, image], [1, 1], method="slerp")
        assert not np.allclose(slerp.tensor("image_embeds"), total.tensor("image_embeds"))
        for weights in ([0, 0], [1, -1]):
            with pytest.raises(kandinsky.InvalidArgumentError):
                Embeds.combine([text, image], weights, method="slerp")
        with pytest.raises(kandinsky.InvalidArgumentError, match="slerp"):
            Embeds.combine([text, image], [1, 1], method="magic")

    def test_negatives_of_prior_and_decoder(self, engine: Engine) -> None:
        options: dict[str, Any] = {"seeds": [1], **PRIOR}
        seen = [
            engine.encode_prompts(["a"], negative, **options, **more)[side].tensor(tensor).tobytes()
            for negative, more in (
                (["blue"], {}),
                (["blue"], {"negative_prior_prompts": ["dark"]}),
                (["dark"], {}),
                (["blue"], {"negative_image": "prior"}),
            )
            for side, tensor in ((0, "image_embeds"), (1, "image_embeds"), (1, "prompt_embeds"))
        ]
        blue, mixed, dark, prior = (seen[i : i + 3] for i in range(0, 12, 3))
        assert mixed[0] == dark[0] != blue[0]
        assert mixed[2] == blue[2] != dark[2]
        assert blue[1] == dark[1] != prior[1]


class TestConditions:
    def test_one_row_each_is_the_default(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a", "b"], seeds=[1, 2], **PRIOR)
        options: dict[str, Any] = {**FEW, "seeds": [1, 2]}
        plain = engine.denoise(embeds, negative, **options)
        same = engine.denoise(
            embeds, negative, conditions=[Condition(0, 0, 1, 4), Condition(1, 1, 1, 4)], **options
        )
        assert np.array_equal(plain, same)

    def test_editing_and_composition_change_the_image(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a", "b"], seeds=[1, 1], **PRIOR)
        options: dict[str, Any] = {**FEW, "seeds": [1]}
        schedules = [
            [Condition(0, 0, 1, 4)],
            [Condition(1, 0, 1, 4)],
            [Condition(0, 0, 1, 2), Condition(1, 0, 3, 4)],
            [Condition(0, 0, 1, 4), Condition(1, 0, 1, 4)],
            [Condition(0, 0, 1, 4), Condition(1, 0, 1, 4, 0.5)],
        ]
        seen = {
            engine.denoise(
                embeds,
                negative.select([0]),
                conditions=schedule,
                **options,
            ).tobytes()
            for schedule in schedules
        }
        assert len(seen) == len(schedules)
        zero = [Condition(0, 0, 1, 4), Condition(1, 0, 1, 4, 0)]
        assert np.array_equal(
            engine.denoise(embeds, negative.select([0]), conditions=zero, **options),
            engine.denoise(embeds, negative.select([0]), conditions=schedules[0], **options),
        )


class TestNoise:
    def test_variation_runs_from_one_seed_to_the_other(self, engine: Engine) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], **PRIOR)

        def latents(seed: int, **options: Any) -> np.ndarray:
            return engine.denoise(embeds, negative, seeds=[seed], **FEW, **options)

        assert np.array_equal(latents(1, variation_seeds=[2], variation_strength=0), latents(1))
        ended = latents(1, variation_seeds=[2], variation_strength=1)
        assert np.allclose(ended, latents(2), atol=1e-4)
        between = latents(1, variation_seeds=[2], variation_strength=0.5)
        assert not np.allclose(between, latents(1))
        assert not np.allclose(between, latents(2))

    def test_every_sampler_generates(self, engine: Engine) -> None:
        for sampler in kandinsky.samplers():
            image = engine.text_to_image(["a"], seeds=[1], sampler=sampler, **FEW, **PRIOR)
            assert len(np.unique(image)) > 10, sampler
        for scheduler in kandinsky.schedulers():
            options = {"sampler": list(kandinsky.samplers())[-1], "scheduler": scheduler}
            engine.text_to_image(["a"], seeds=[1], **FEW, **PRIOR, **options)


class TestImageFiles:
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_loaded_as_they_are(self, tmp_path: Path, channels: int) -> None:
        image = scene(7, 5, channels)
        Image.fromarray(image.squeeze()).save(tmp_path / "a.png")
        loaded = kandinsky.load_image(tmp_path / "a.png")
        assert loaded.dtype == np.uint8
        assert np.array_equal(loaded, image)

    def test_turned_upright(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(scene(20, 40)).save(tmp_path / "a.jpg", exif=exif)
        assert kandinsky.load_image(tmp_path / "a.jpg").shape == (40, 20, 3)

    def test_saved_images_come_back(self, tmp_path: Path) -> None:
        kandinsky.save_image(tmp_path / "a.png", scene(), "text")
        assert np.array_equal(kandinsky.load_image(tmp_path / "a.png"), scene())
