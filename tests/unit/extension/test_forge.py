"""A host that keeps a model's networks in `forge_objects`."""

import pytest
from PIL import Image

IMAGE = Image.new("RGB", (128, 128))
MASK = Image.new("L", (128, 128), 255)


class Patcher:
    """An extension that patches the UNet before each pass, and one that only copies it."""

    def __init__(self, patch):
        self.patch = patch
        self.passes = 0

    def process_before_every_sampling(self, p):
        self.passes += 1
        unet = p.sd_model.forge_objects.unet.clone()
        if self.patch:
            unet.set_model_sampler_cfg_function(None)
        p.sd_model.forge_objects.unet = unet


RUNS = {
    "txt2img": lambda host: host.txt2img(prompt="x", batch_size=2, n_iter=2),
    "hires, latents": lambda host: host.txt2img(prompt="x", enable_hr=True, hr_upscaler="Latent"),
    "hires, pixels": lambda host: host.txt2img(prompt="x", enable_hr=True, hr_upscaler="Lanczos"),
    "img2img": lambda host: host.img2img(IMAGE, prompt="x"),
    "inpaint": lambda host: host.img2img(IMAGE, prompt="x", image_mask=MASK),
}


@pytest.mark.parametrize("kind", RUNS)
def test_each_kind_of_run_generates_and_puts_everything_back(forge, kind):
    before = forge.snapshot()
    processed = RUNS[kind](forge)
    assert "Script: Kandinsky" in processed.infotexts[0]
    assert forge.called("denoise")
    assert forge.snapshot() == before


@pytest.mark.parametrize("kind", ["ForgeObjects", "ForgeReload", "ForgeNeo"])
def test_the_engine_is_asked_for_the_same_as_elsewhere(host, monkeypatch, kind):
    def asked():
        host.calls.clear()
        host.txt2img(prompt="(a:1.3) AND b", seed=7, tiling=True)
        return [
            {name: value for name, value in call.items() if isinstance(value, (int, str, float))}
            for call in host.called("denoise")
        ]

    elsewhere = asked()
    getattr(host.loop, kind)(host.processing).install(monkeypatch)
    assert asked() == elsewhere


def test_everything_comes_back_after_an_engine_error(forge):
    before = forge.snapshot()
    with pytest.raises(forge.engine.InvalidArgumentError, match="1000"):
        forge.txt2img(steps=1000)
    assert forge.snapshot() == before


def test_other_hosts_see_nothing_of_it(host):
    seen = []

    class Look:
        def process_batch(self, p):
            seen.append(hasattr(p.sd_model, "forge_objects"))

    before = host.snapshot()["loop"]
    host.txt2img(scripts=host.scripts.Runner([Look()]))
    assert seen == [False]
    assert host.snapshot()["loop"] == before


@pytest.mark.parametrize("patch", [False, True])
def test_extensions_that_patch_the_unet_do_not_stop_the_run(forge, patch):
    patcher = Patcher(patch)
    processed = forge.txt2img(
        enable_hr=True, hr_upscaler="Latent", scripts=forge.scripts.Runner([patcher])
    )
    assert processed.images[-1].size == (256, 256)
    assert patcher.passes == 2
    assert forge.scripts.swallowed == ["process_before_every_sampling"] * (2 if patch else 0)


def test_what_cannot_be_patched_is_named(forge):
    facade = forge.ext("host.facade").Facade(type("Job", (), {"model_name": "toy"}))
    forge.ext("host.forge").extend(facade, None)
    unet = facade.forge_objects.unet
    for network in (unet, unet.model, unet.model.model_sampling):
        with pytest.raises(AttributeError, match=r"Kandinsky has no UNet .* \(patch_me\)"):
            network.patch_me()


@pytest.mark.parametrize(
    "overridden", [{"token_merging_ratio": 0.5}, {"sd_noise_schedule": "Zero Terminal SNR"}]
)
def test_settings_for_a_model_that_is_not_there(forge, overridden):
    before = forge.snapshot()
    assert len(forge.txt2img(override_settings=overridden).images) == 1
    assert forge.snapshot() == before


def test_options_of_the_run_are_read_and_said(forge):
    processed = forge.txt2img(
        prompt="(a:1.3)", override_settings={"emphasis": "None", "s_churn": 0.5}
    )
    assert "Emphasis: None" in processed.infotexts[0]
    assert forge.p.params_txt == processed.infotexts[0]
    assert processed.comments == "Settings: Kandinsky ignores sigma churn.\n"


def test_remarks_are_made_once(forge):
    comments = forge.txt2img(batch_size=2, n_iter=2, s_churn=0.5).comments
    assert comments.count("sigma churn") == 1


def test_tiling(forge):
    processed = forge.img2img(IMAGE, tiling=True)
    assert forge.called("denoise")[0]["tiling"] is True
    assert "Tiling: True" in processed.infotexts[0]


@pytest.mark.parametrize(("given", "scale"), [(1.0, 1.0), (7.0, 7.0), (0, 4.0), (-1, 1.0)])
def test_the_second_pass_has_its_own_guidance(forge, given, scale):
    forge.txt2img(enable_hr=True, hr_upscaler="Latent", cfg_scale=4.0, hr_cfg=given)
    first, second = forge.called("denoise")
    assert (first["guidance_scale"], second["guidance_scale"]) == (4.0, scale)


def test_the_panel_for_other_scripts(forge):
    twin = forge.twin

    class Panel:
        def setup(self, p):
            twin.setup(p, True)

        def before_process(self, p):
            twin.before_process(p)

    before = forge.snapshot()
    p = forge.processing.StableDiffusionProcessingTxt2Img(
        prompt="x", scripts=forge.scripts.Runner([Panel()])
    )
    processed = forge.processing.generate(None, p)
    assert "Kandinsky for other scripts: True" in processed.infotexts[0]
    assert forge.scripts.swallowed == []
    assert forge.snapshot() == before


def test_a_run_without_guidance(forge):
    forge.txt2img(prompt="x", negative_prompt="y", cfg_scale=1)
    assert forge.called("denoise")[0]["guidance_scale"] == 1


def test_negative_prompts_without_guidance_are_those_of_the_pass(forge):
    """The host leaves them unresolved then, and the prior uses them all the same."""
    forge.txt2img(
        negative_prompt="[red:blue:0.5]",
        hr_negative_prompt="[green:grey:3]",
        steps=10,
        cfg_scale=1,
        enable_hr=True,
        hr_cfg=1,
    )
    asked = [call["negative_prompts"] for call in forge.called("encode_prompts")]
    assert asked == [["red"], ["grey"]], "numbers from 1 count from the first pass's beginning"


def test_tokens_are_counted_during_a_run_as_before_it(host, monkeypatch):
    host.loop.ForgeReload(host.processing).install(monkeypatch)
    counted = []

    class Page:
        def process_batch(self, p):
            counted.append(p.sd_model.get_prompt_lengths_on_ui("a b c"))

    host.txt2img(scripts=host.scripts.Runner([Page()]))
    assert counted == [(3, 75)]
    assert host.scripts.swallowed == []


def test_without_the_script_the_host_fails_in_its_own_words_afterwards(host, monkeypatch):
    host.loop.ForgeReload(host.processing).install(monkeypatch)
    host.txt2img()
    with pytest.raises(ValueError, match="You do not have any model"):
        host.processing.forge_model_reload()


@pytest.mark.parametrize(("kind", "written"), [("ForgeObjects", True), ("ForgeReload", False)])
def test_a_host_that_would_load_the_model_as_a_checkpoint_is_not_told(
    host, monkeypatch, kind, written
):
    getattr(host.loop, kind)(host.processing).install(monkeypatch)
    text = host.txt2img().infotexts[0]
    assert (", Model: toy" in text) == written
    assert "Kandinsky model: toy" in text
    of_others = "x\nSteps: 4, Seed: 1, Model: toy"
    from_elsewhere = f"{of_others}, Script: Kandinsky, Kandinsky model: toy"
    assert ("Model" in host.paste(host.script, from_elsewhere)[0]) == written
    assert "Model" in host.paste(host.script, of_others)[0]
