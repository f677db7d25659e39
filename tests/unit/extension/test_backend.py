"""What the run replaces in the host, and that all of it comes back."""

import pytest
import torch
from PIL import Image


class RealModel:
    """Stands for a loaded Stable Diffusion model."""


@pytest.fixture(params=["no checkpoint", "a loaded one"])
def before(request, host):
    if request.param == "a loaded one":
        real = RealModel()
        host.sd_models.model_data.sd_model = real
        host.sd_models.model_data.loaded_sd_models.append(real)
    return host.snapshot()


def test_everything_comes_back_after_success(host, before):
    host.txt2img(batch_size=2, n_iter=2)
    assert host.snapshot() == before


def test_everything_comes_back_after_an_engine_error(host, before):
    with pytest.raises(host.engine.InvalidArgumentError, match="1000"):
        host.txt2img(steps=1000)
    assert host.snapshot() == before


def test_everything_comes_back_after_an_interrupt(host, before):
    class Impatient:
        def process_batch(self, p):
            host.shared.state.interrupted = True

    host.txt2img(scripts=host.scripts.Runner([Impatient()]))
    assert host.snapshot() == before


def test_everything_comes_back_after_a_keyboard_interrupt(host, before, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(host.engine.Engine, "denoise", stop)
    with pytest.raises(KeyboardInterrupt):
        host.txt2img()
    assert host.snapshot() == before


def test_what_is_in_force_meanwhile(host):
    seen = {}

    class Look:
        def process_batch(self, p):
            seen.update(host.snapshot())

    real = RealModel()
    host.sd_models.model_data.sd_model = real
    host.sd_models.model_data.loaded_sd_models.append(real)
    host.txt2img(scripts=host.scripts.Runner([Look()]))
    assert seen["sd_model"] is not real
    assert seen["loaded"] == [real], "the facade was filed among the loaded models"
    assert seen["dtype"] == seen["dtype_vae"] == torch.float32
    assert seen["options"]["sd_vae_decode_method"] == "Full"


def test_without_the_script_the_host_fails_in_its_own_words_afterwards(host):
    host.txt2img()
    p = host.processing.StableDiffusionProcessingTxt2Img()
    with pytest.raises(FileNotFoundError, match="No checkpoints found"):
        host.processing.process_images(p)


def test_a_users_taesd_choice_is_overridden_and_kept(host):
    host.shared.opts.data["sd_vae_decode_method"] = "TAESD"
    processed = host.txt2img(override_settings={"sd_vae_decode_method": "TAESD"})
    assert len(processed.images) == 1
    assert host.shared.opts.data["sd_vae_decode_method"] == "TAESD"


def test_overrides_of_unset_options_do_not_stay(host):
    host.txt2img(override_settings={"CLIP_stop_at_last_layers": 2})
    assert host.shared.opts.data == {}


def test_overrides_stay_if_the_caller_wants_them_to(host):
    host.txt2img(
        override_settings={"CLIP_stop_at_last_layers": 2},
        override_settings_restore_afterwards=False,
    )
    assert host.shared.opts.data == {"CLIP_stop_at_last_layers": 2}


def test_a_run_inside_a_run_uses_the_same_backend(host):
    inner = []

    class Detailer:
        def postprocess_image(self, p, image):
            nested = host.processing.StableDiffusionProcessingTxt2Img(
                width=64,
                height=64,
                seed=77,
                prompt="detail<hypernet:ink:0.8>",
            )
            inner.extend(host.processing.process_images(nested).images)
            nested.close()

    before = host.snapshot()
    processed = host.txt2img(batch_size=2, scripts=host.scripts.Runner([Detailer()]))
    assert host.called("encode_prompts")[-1]["prompts"] == ["detail"]
    assert host.scripts.swallowed == []
    assert [image.size for image in inner] == [(64, 64)] * 2
    assert processed.images[1].size == (128, 128)
    assert host.snapshot() == before


def test_what_is_said_of_a_run_inside_is_said_of_the_run(host):
    """The host shows the remarks of the run alone, and only a trace of what a script raises."""

    class Detailer:
        def __init__(self, **values):
            self.values = values

        def postprocess_image(self, p, image):
            nested = host.processing.StableDiffusionProcessingImg2Img(
                init_images=[Image.new("RGB", (128, 128))], denoising_strength=0.5, **self.values
            )
            host.processing.process_images(nested)
            nested.close()

    def comments(**values):
        runner = host.scripts.Runner([Detailer(**values)])
        return host.txt2img(scripts=runner).comments

    assert comments(prompt="detail") == ""
    assert comments(prompt="detail<hypernet:ink:0.8>") == (
        "Prompt: Kandinsky ignores <hypernet:...>.\n"
    )
    assert host.scripts.swallowed == []
    said = comments(sampler_name="LCM")
    assert said.startswith("Kandinsky, in a run inside this one: ")
    assert "LCM" in said
    assert host.scripts.swallowed == ["postprocess_image"]
    # The host itself leaves a setting overridden that nobody had set.
    assert comments(override_settings={"sd_vae": "other.pt", "CLIP_stop_at_last_layers": 2}) == (
        "Settings: Kandinsky ignores Clip skip, VAE.\n"
    )


def test_the_script_inside_its_own_run_takes_over_for_its_length(host):
    prompts = []

    class Nested:
        def postprocess_image(self, p, image):
            nested = host.processing.StableDiffusionProcessingTxt2Img(prompt="inner", width=192)
            prompts.append(host.script.run(nested, 9).infotexts[0])

    before = host.snapshot()
    processed = host.txt2img(args=(7,), prompt="outer", scripts=host.scripts.Runner([Nested()]))
    assert host.scripts.swallowed == []
    assert "Kandinsky prior steps: 9" in prompts[0]
    assert "Kandinsky prior steps: 7" in processed.infotexts[0]
    assert host.snapshot() == before


def test_a_backend_left_behind_is_taken_off_by_the_next_run(host):
    before = host.snapshot()
    host.shared.state.begin("lost")
    backend = host.ext("host.backend")

    class Job:
        model_name = "lost"

    lost = backend.in_force(Job())
    lost.__enter__()
    assert host.sd_models.model_data.sd_model is not None
    host.txt2img()
    assert host.snapshot() == before
    # Keep the generator from restoring anything again when it is collected.
    lost.gen.close()
    assert host.snapshot() == before


def test_onnx_hosts_are_refused(host):
    host.shared.opts.onnx_enable = True
    with pytest.raises(host.ext("errors").UserError, match="ONNX"):
        host.txt2img()
