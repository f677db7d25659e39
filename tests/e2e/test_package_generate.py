"""The package on a tiny model: generating from images, under masks, from mixes, by conditions."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import DEPTH_2_2, INPAINT, NATIVE_SIZE
from support.effects import (
    EFFECTS,
    FEW,
    JOB_OPTIONS,
    PRIOR,
    SIZE,
    denoise,
    generate,
    right_half,
    scene,
)

import kandinsky_engine as kandinsky
from kandinsky_engine import Condition, Embeds, Engine


@pytest.fixture(scope="module")
def engine(inpaint_model: Path) -> Iterator[Engine]:
    with Engine(inpaint_model, precision="fp32") as engine:
        yield engine


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


FAKE_ENGINE = Path(__file__).parents[1] / "support" / "fake_engine" / "kandinsky_engine"


@pytest.mark.parametrize("sampler", kandinsky.samplers())
def test_automatic_is_the_schedule_that_the_fake_engine_says(engine: Engine, sampler: str) -> None:
    own = runpy.run_path(str(FAKE_ENGINE / "tables.py"))["SAMPLERS"][sampler]

    def latents(scheduler: str) -> bytes:
        return denoise(engine, sampler=sampler, scheduler=scheduler).tobytes()

    same = [
        name
        for name in ("Uniform", "Karras", "Exponential")
        if latents(name) == latents("Automatic")
    ]
    assert same == [own] * bool(own)


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
        for masks in ([right_half()], right_half()[None, :, :, None]):
            with pytest.raises(kandinsky.InvalidArgumentError, match="masks: need images"):
                engine.generate(embeds, negative, masks=masks, seeds=[1], **FEW)
        engine.generate(embeds, negative, masks=[], seeds=[1], **FEW)
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
