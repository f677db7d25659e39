"""Images that start from an image."""

import math

import numpy as np
import pytest
import torch
from PIL import Image


def image(width=128, height=128, seed=1, mode="RGB"):
    channels = len(mode)
    cells = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, channels))
    small = Image.fromarray(cells.astype(np.uint8).squeeze(), mode)
    return small.resize((width, height), Image.Resampling.NEAREST)


def pixels(image):
    return np.asarray(image)


def test_the_image_reaches_the_engine_once_whatever_the_batch(host):
    processed = host.img2img(image(), batch_size=8, n_iter=2, seed=5)
    assert len(processed.images) == 17
    encoded = [call for call in host.called("encode") if call["shape"] == (1, 128, 128, 3)]
    assert len(encoded) - len(host.called("open")) == 1, "one is the preview's chart"
    latents = host.called("denoise")[0]["init_latents"]
    assert latents.shape == (8, 4, 16, 16)
    assert (latents == latents[:1]).all()
    assert [call["seeds"] for call in host.called("denoise")] == [
        list(range(5, 13)),
        list(range(13, 21)),
    ]


def test_an_image_is_not_encoded_again_by_the_next_run(host):
    host.shared.opts.live_previews_enable = False
    for strength in (0.3, 0.6):
        host.img2img(image(), denoising_strength=strength)
    assert len(host.called("encode")) == 1
    host.img2img(image(seed=2))
    assert len(host.called("encode")) == 2


def test_the_engine_sees_the_images_own_pixels(host, monkeypatch):
    host.shared.opts.live_previews_enable = False
    seen = []
    encode = host.engine.Engine.encode

    def spy(self, images, **options):
        seen.append(images.copy())
        return encode(self, images, **options)

    monkeypatch.setattr(host.engine.Engine, "encode", spy)
    given = image()
    host.img2img(given)
    assert (seen[0][0] == pixels(given)).all()


def test_denoising_0_gives_the_image_back(host):
    given = image()
    processed = host.img2img(given, denoising_strength=0)
    assert pixels(processed.images[0]).tobytes() == pixels(given).tobytes()
    assert host.called("denoise") == []
    assert host.called("decode") == []


@pytest.mark.parametrize("size", [(300, 200), (65, 63), (192, 128)])
@pytest.mark.parametrize("strength", [0, 0.5])
def test_an_image_of_any_size_keeps_it(host, size, strength):
    given = image(304, 208).resize(size)
    processed = host.img2img(given, width=size[0], height=size[1], denoising_strength=strength)
    assert processed.images[0].size == size
    if strength == 0:
        assert pixels(processed.images[0]).tobytes() == pixels(given).tobytes()
    else:
        width, height = (math.ceil(side / 64) * 8 for side in size)
        assert host.called("denoise")[0]["init_latents"].shape == (1, 4, height, width)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("strength", [0.01, 0.1, 0.35, 0.5, 0.57, 0.99, 1.0])
def test_just_the_hosts_number_of_steps_runs(host, fixed, strength):
    host.shared.opts.img2img_fix_steps = fixed
    host.img2img(image(), steps=20, denoising_strength=strength)
    call = host.called("denoise")[0]
    total, running = (
        call["num_inference_steps"],
        int(call["num_inference_steps"] * call["strength"]),
    )
    if fixed and strength == 0.01:
        assert (total, running) == (999, 9), "a schedule has no more steps"
        assert "there are at most 9" in "".join(host.p.comments)
    elif fixed:
        assert (total, running) == (int(20 / min(strength, 0.999)), 20)
    else:
        assert (total, running) == (20, min(20, int(strength * 20) + 1))


def test_strengths_for_all_numbers_of_steps(host):
    request = host.ext("request")
    steps_of = host.sd_samplers_common.setup_img2img_steps
    opts = host.shared.opts
    p = host.processing.StableDiffusionProcessingImg2Img()
    latents = np.zeros((1, 4, 1, 1), dtype=np.float32)
    for fixed in (False, True):
        opts.img2img_fix_steps = fixed
        for p.steps in range(1, 151):
            for hundredth in range(1, 101):
                p.denoising_strength = hundredth / 100
                total, last = steps_of(p)
                steps = request.start_steps(p.steps, total, last + 1)
                strength = request.Start(latents, None, steps).strength()
                assert 0 < strength <= 1
                assert min(int(steps.total * strength), steps.total) == steps.running
                if total <= request.MOST_STEPS:
                    assert (steps.total, steps.running) == (total, min(last + 1, total))
                else:
                    share = steps.running / steps.total
                    assert steps.planned == steps.running, "texts change over all of them"
                    assert abs(share - (last + 1) / total) <= 1 / steps.total


def test_editing_counts_the_steps_that_run(host):
    host.img2img(image(), prompt="[a:b:3]", steps=20, denoising_strength=0.5)
    spans = [(c.row, c.first_step, c.last_step) for c in host.called("denoise")[0]["conditions"]]
    assert spans == [(0, 1, 13), (1, 14, 20)], "11 of 20 run; the fourth one is number 13"


def test_a_batch_member_is_the_same_alone(host):
    batch = host.img2img(image(), prompt="x", batch_size=3, seed=5)
    _, values = host.paste(host.img2img_script, batch.infotexts[3])
    alone = host.img2img(image(), prompt="x", seed=7, args=values)
    assert alone.images[0].tobytes() == batch.images[3].tobytes()
    assert alone.infotexts[0] == batch.infotexts[3]


def test_images_of_their_own(host):
    first, second = image(seed=1), image(seed=2)
    processed = host.img2img(first, second, batch_size=2, denoising_strength=0)
    assert [pixels(image).tobytes() for image in processed.images[1:]] == [
        pixels(first).tobytes(),
        pixels(second).tobytes(),
    ]


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_other_kinds_of_images(host, mode):
    assert host.img2img(image(mode=mode)).images[0].size == (128, 128)


@pytest.mark.parametrize("resize_mode", [0, 1, 2])
def test_resize_modes(host, resize_mode):
    processed = host.img2img(image(256, 64), resize_mode=resize_mode)
    assert processed.images[0].size == (128, 128)


def test_the_noise_is_the_seeds_unless_the_host_changes_it(host):
    host.img2img(image())
    assert host.called("denoise")[0]["noise"] is None
    host.img2img(image(), initial_noise_multiplier=1.5)
    host.img2img(image(), initial_noise_multiplier=1.5, width=72)
    same, other = (call["noise"] for call in host.called("denoise")[1:])
    assert np.allclose(same[0], 1.5 * host.rng.randn(1, (4, 16, 16)).numpy())
    assert other.shape == (1, 4, 16, 16)
    assert np.allclose(other.std(), 1.5, atol=0.1)


def test_the_hosts_variations_and_seed_resize(host):
    host.img2img(image(), subseed=9, subseed_strength=0.4, batch_size=2)
    noise = host.called("denoise")[0]["noise"]
    assert (noise[0] != noise[1]).any()
    processed = host.txt2img(seed_resize_from_w=64, seed_resize_from_h=64)
    resized = host.called("denoise")[1]["noise"]
    own = host.rng.randn(1, (4, 8, 8)).numpy()
    assert np.allclose(resized[0, :, 4:12, 4:12], own)
    assert "Seed resize from: 64x64" in processed.infotexts[0]


def test_a_variation_is_the_same_alone(host):
    batch = host.txt2img(prompt="x", subseed=9, subseed_strength=0.4, batch_size=3, seed=5)
    params, values = host.paste(host.script, batch.infotexts[3])
    assert (params["Seed"], params["Variation seed"]) == ("5", "11")
    alone = host.txt2img(prompt="x", subseed=11, subseed_strength=0.4, seed=5, args=values)
    assert alone.images[0].tobytes() == batch.images[3].tobytes()


def stop_at(host, monkeypatch, text):
    advance = host.ext("host.watcher").HostWatcher.advance

    def pressing(self, done, now):
        advance(self, done, now)
        if text in now:
            host.shared.state.interrupted = True

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", pressing)


@pytest.mark.parametrize("at", ["prior, step 2 ", "denoising, step 0 "])
def test_a_stop_before_the_first_step_gives_the_image_back(host, monkeypatch, at):
    stop_at(host, monkeypatch, at)
    given = image()
    processed = host.img2img(given, n_iter=3)
    assert pixels(processed.images[0]).tobytes() == pixels(given).tobytes()
    assert host.called("decode") == []


@pytest.mark.parametrize("step", range(1, 12))
def test_a_stop_at_any_step_gives_what_there_is(host, monkeypatch, step):
    stop_at(host, monkeypatch, f"denoising, step {step} ")
    processed = host.img2img(image(), steps=20, denoising_strength=0.5, n_iter=2)
    assert len(processed.images) == 1
    assert len(host.called("denoise")) == 1
    assert len(host.called("decode")) == 1


def test_the_hosts_precision_is_out_of_the_way(host):
    seen = []

    class Look:
        def process_batch(self, p):
            seen.append(p.init_latent.dtype)

    host.img2img(image(), scripts=host.scripts.Runner([Look()]))
    assert seen == [torch.float32]
