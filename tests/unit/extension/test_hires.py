"""The second pass of hires. fix, and the gallery's upscale button."""

import numpy as np
import pytest
from PIL import Image

PIXELS, LATENT = "Lanczos", "Latent"


@pytest.mark.parametrize("upscaler", [PIXELS, LATENT, "Latent (nearest-exact)"])
@pytest.mark.parametrize("batch", [1, 2])
def test_both_passes(host, upscaler, batch):
    processed = host.txt2img(
        prompt="x", enable_hr=True, hr_upscaler=upscaler, steps=10, batch_size=batch
    )
    assert processed.images[-1].size == (256, 256)
    first, second = host.called("denoise")
    assert first["init_latents"] is None
    assert (second["width"], second["height"]) == (256, 256)
    assert second["init_latents"].shape == (batch, 4, 32, 32)
    total = second["num_inference_steps"]
    assert (total, int(total * second["strength"])) == (13, 10)
    assert second["seeds"] == first["seeds"]
    assert second["mask"] is None
    assert host.scripts.swallowed == []


def test_an_api_call_without_a_denoising_strength(host):
    processed = host.txt2img(enable_hr=True, denoising_strength=None)
    assert "Denoising strength: 0.75" in processed.infotexts[0]


@pytest.mark.parametrize("upscaler", [PIXELS, LATENT])
def test_denoising_0_only_enlarges(host, upscaler):
    host.txt2img(prompt="x", enable_hr=True, hr_upscaler=upscaler, denoising_strength=0)
    assert len(host.called("denoise")) == 1


def test_steps_sampler_schedule_and_prompts_of_the_second_pass(host):
    processed = host.txt2img(
        prompt="x",
        enable_hr=True,
        hr_second_pass_steps=6,
        hr_sampler_name="Euler",
        hr_scheduler="Karras",
        hr_prompt="y",
        hr_negative_prompt="n",
        denoising_strength=0.5,
    )
    first, second = host.called("denoise")
    assert (first["sampler"], first["scheduler"]) == ("DDIM", "Automatic")
    assert (second["sampler"], second["scheduler"]) == ("Euler", "Karras")
    assert (second["num_inference_steps"], int(12 * second["strength"])) == (12, 6)
    assert [call["prompts"] for call in host.called("encode_prompts")] == [["x"], ["y"]]
    assert host.called("encode_prompts")[1]["negative_prompts"] == ["n"]
    text = processed.infotexts[0]
    for part in ("Sampler: DDIM", "Hires sampler: Euler", "Hires schedule type: Karras"):
        assert part in text


def test_the_pages_words_for_the_same_sampler_are_known(host):
    same = {"hr_sampler_name": "Use same sampler", "hr_scheduler": "Use same scheduler"}
    processed = host.txt2img(enable_hr=True, sampler_name="Euler", scheduler="Karras", **same)
    for call in host.called("denoise"):
        assert (call["sampler"], call["scheduler"]) == ("Euler", "Karras")
    assert "Use same" not in processed.comments
    assert "Hires sampler" not in processed.infotexts[0]


def test_the_prior_does_not_run_again_for_the_same_prompt(host):
    host.txt2img(prompt="x", enable_hr=True)
    assert len(host.called("prior")) == 1
    host.txt2img(prompt="x", enable_hr=True, hr_prompt="y")
    assert len(host.called("prior")) == 2


def test_a_sampler_of_the_second_pass_that_is_not_there_is_said(host):
    processed = host.txt2img(enable_hr=True, hr_sampler_name="DPM adaptive", sampler_name="Euler")
    assert host.called("denoise")[1]["sampler"] == "DPM++ 2M"
    assert 'no "DPM adaptive"' in processed.comments
    assert "Hires sampler: DPM++ 2M" in processed.infotexts[0]


def test_our_own_sampler_serves_both_passes(host):
    host.txt2img(enable_hr=True, sampler_name="Euler", args=host.settings(sampler="DDPM"))
    assert [call["sampler"] for call in host.called("denoise")] == ["DDPM", "DDPM"]


def test_editing_in_both_passes(host):
    host.txt2img(prompt="[a:b:0.5]", enable_hr=True, steps=4, denoising_strength=0.5)
    first, second = (
        [(c.row, c.first_step, c.last_step) for c in call["conditions"] or []]
        for call in host.called("denoise")
    )
    assert first == [(0, 1, 3), (1, 4, 4)]
    assert second == [], "numbers below 1 belong to the first pass"


@pytest.mark.parametrize("upscaler", [PIXELS, LATENT])
@pytest.mark.parametrize(("width", "scale"), [(128, 1.3), (136, 1.5), (72, 2.0)])
def test_sizes_that_are_no_multiples(host, upscaler, width, scale):
    processed = host.txt2img(
        width=width, height=128, enable_hr=True, hr_scale=scale, hr_upscaler=upscaler
    )
    size = tuple(int(side * scale) // 8 * 8 for side in (width, 128))
    assert processed.images[0].size == size


def test_what_lies_beside_the_image_is_not_enlarged(host, monkeypatch):
    denoise = host.engine.Engine.denoise

    def marked(self, *args, **options):
        latents = denoise(self, *args, **options)
        if options["width"] == 72:
            latents[:, :, :, 9:] = 99
        return latents

    monkeypatch.setattr(host.engine.Engine, "denoise", marked)
    host.txt2img(width=72, height=64, enable_hr=True, hr_upscaler=LATENT)
    assert host.called("denoise")[1]["init_latents"].max() < 99


@pytest.mark.parametrize("upscaler", [PIXELS, LATENT])
# One host's gallery gives images with an alpha channel.
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_upscale_button(host, upscaler, mode):
    finished = Image.fromarray(np.full((128, 128, 3), 90, dtype=np.uint8)).convert(mode)
    processed = host.txt2img(
        prompt="x", enable_hr=True, hr_upscaler=upscaler, firstpass_image=finished
    )
    assert processed.images[0].size == (256, 256)
    (call,) = host.called("denoise")
    assert call["init_latents"] is not None


def test_a_checkpoint_of_its_own_is_no_use_and_said(host):
    processed = host.txt2img(enable_hr=True, hr_checkpoint_name="sd15")
    assert "Hires checkpoint: Kandinsky ignores it." in processed.comments


def stop_at(host, monkeypatch, text, flag, *, passed=0):
    advance = host.ext("host.watcher").HostWatcher.advance
    seen = []

    def pressing(self, done, now):
        advance(self, done, now)
        if text in now:
            seen.append(now)
            if len(seen) > passed:
                setattr(host.shared.state, flag, True)

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", pressing)


@pytest.mark.parametrize("upscaler", [PIXELS, LATENT])
@pytest.mark.parametrize("flag", ["interrupted", "skipped"])
@pytest.mark.parametrize("at", ["prior, step 3 ", "denoising, step 0 ", "generating, step 2 "])
@pytest.mark.parametrize("passed", [0, 1])
def test_a_stop_in_either_pass(host, monkeypatch, upscaler, flag, at, passed):
    stop_at(host, monkeypatch, at, flag, passed=passed)
    processed = host.txt2img(prompt="x", enable_hr=True, hr_upscaler=upscaler)
    assert len(processed.images) == 1
    assert host.sd_models.model_data.sd_model is None


def test_a_run_with_another_run_inside(host):
    inner = []

    class Detailer:
        def postprocess_image(self, p, image):
            nested = host.processing.StableDiffusionProcessingImg2Img(
                width=64,
                height=64,
                seed=77,
                prompt="detail",
                sampler_name="Euler",
                init_images=[image.crop((0, 0, 64, 64))],
                image_mask=Image.new("L", (64, 64), 255),
            )
            inner.extend(host.processing.process_images(nested).images)
            nested.close()

    processed = host.txt2img(prompt="x", enable_hr=True, scripts=host.scripts.Runner([Detailer()]))
    assert host.scripts.swallowed == []
    assert inner[0].size == (64, 64)
    assert host.called("denoise")[-1]["sampler"] == "Euler"
    assert processed.images[0].size == (256, 256)
