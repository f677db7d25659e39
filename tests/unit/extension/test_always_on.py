"""The panel for other scripts: in force for all that one of them does, and gone afterwards."""

import copy
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support.panel_hooks import Hooks

RED = Image.new("RGB", (128, 128), (200, 0, 0))


@pytest.fixture
def other(host):
    """Runs another script with the panel on: a function of p, or none for the bare host."""

    def run_other(function=None, args=(True,), chosen=None, img2img=False, hooks=(), **values):
        kind = "StableDiffusionProcessingImg2Img" if img2img else "StableDiffusionProcessingTxt2Img"
        twin = host.img2img_twin if img2img else host.twin
        host.p = getattr(host.processing, kind)(
            scripts=host.scripts.Runner([Hooks(twin, args), *hooks]), **values
        )
        if function is not None:
            chosen = type("Other", (), {"run": staticmethod(function)})()
        return host.processing.generate(chosen, host.p)

    return run_other


def test_the_entry(host):
    assert host.twin.title() == "Kandinsky for other scripts"
    assert host.twin.show(False) is host.scripts.AlwaysVisible
    with gr.Blocks() as page:
        components = host.twin.ui(False)
        host.script.ui(False)
    assert [component.value for component in components] == [False, None]
    ids = [block.elem_id for block in page.blocks.values() if block.elem_id]
    assert len(ids) == len(set(ids))
    assert host.calls == []


def test_without_any_script(host, other):
    before = host.snapshot()
    processed = other(prompt="x", seed=5, args=(True, 7))
    assert host.snapshot() == before
    alone = host.txt2img(prompt="x", seed=5, args=(7,))
    assert processed.images[0].tobytes() == alone.images[0].tobytes()
    text = processed.infotexts[0]
    assert "Kandinsky for other scripts: True" in text
    assert "Kandinsky prior steps: 7" in text
    assert "Script: " not in text
    assert host.scripts.swallowed == []


def test_settings_that_do_nothing_are_named(host, other):
    comments = other(override_settings={"rho": 3.0}).comments
    assert comments == "Settings: Kandinsky ignores rho.\n"


def titled(name):
    return SimpleNamespace(title=lambda: name)


def test_a_script_that_runs_the_hosts_network_itself_is_refused(host):
    alternative = titled("img2img alternative test")

    def before(place):
        """The host sets both before it calls the first hook."""
        runner = type("Chosen", (host.scripts.Runner,), {"selectable_scripts": [alternative]})
        values = {"scripts": runner([Hooks(host.img2img_twin, (True,))]), "script_args": (place,)}
        kind = host.processing.StableDiffusionProcessingImg2Img
        return kind(init_images=[RED], prompt="x", **values)

    state = host.snapshot()
    with pytest.raises(host.ext("errors").UserError, match="runs the network of a"):
        host.processing.generate(None, before(1))
    assert host.called("denoise") == []
    assert host.snapshot() == state
    host.processing.generate(None, before(0))
    assert len(host.called("denoise")) == 1


def test_off_it_changes_nothing(host, other):
    before = host.snapshot()
    with pytest.raises(FileNotFoundError, match="No checkpoints found"):
        other(args=(False,))
    assert host.snapshot() == before
    assert host.calls == []


def test_a_script_that_generates_again_and_again(host, other):
    before = host.snapshot()

    def loopback(p):
        for _ in range(3):
            processed = host.processing.process_images(p)
            p.init_images = [processed.images[0]]
            p.seed += 1
        return processed

    other(loopback, img2img=True, init_images=[RED], prompt="x", denoising_strength=0.5)
    assert len(host.called("denoise")) == 3
    starts = [call["init_latents"] for call in host.called("denoise")]
    assert (starts[0] != starts[1]).any()
    assert host.snapshot() == before


def test_a_script_that_grows_an_image(host, other):
    def outpaint(p):
        wide = Image.new("RGB", (256, 128))
        wide.paste(RED, (0, 0))
        mask = Image.new("L", (256, 128), 255)
        mask.paste(0, (0, 0, 120, 128))
        p.init_images, p.image_mask = [wide], mask
        p.width, p.inpainting_fill, p.inpaint_full_res = 256, 1, False
        return host.processing.process_images(p)

    processed = other(outpaint, img2img=True, init_images=[RED], prompt="x")
    pixels = np.asarray(processed.images[0])
    assert pixels.shape == (128, 256, 3)
    assert (pixels[:, :100] == (200, 0, 0)).all()
    assert pixels[:, 200:].max() > 0


def test_a_script_that_works_on_copies(host, other):
    def plot(p):
        images = []
        for name in ("Euler", "DDIM"):
            cell = copy.copy(p)
            cell.sampler_name = name
            images.append(host.processing.process_images(cell))
            cell.close()
        host.sd_models.reload_model_weights()
        return images

    images = other(plot, prompt="x", tiling=True)
    assert [call["sampler"] for call in host.called("denoise")] == ["Euler", "DDIM"]
    assert [call["tiling"] for call in host.called("denoise")] == [True, True]
    assert "Sampler: Euler" in images[0].infotexts[0]
    assert host.sd_models.model_data.sd_model is None


def test_mixing_follows_the_image_of_each_turn(host, other):
    def loopback(p):
        for colour in ("red", "lime"):
            p.init_images = [Image.new("RGB", (128, 128), colour)]
            processed = host.processing.process_images(p)
        return processed

    args = (True, *host.settings(mix=True, mix_image_2=RED))
    other(loopback, args, img2img=True, init_images=[RED])
    firsts = [call["images"][0].tolist() for call in host.called("combine")]
    assert firsts == [[[255, 0, 0]], [[0, 255, 0]]]


def test_the_chosen_script_of_ours_wins(host, other):
    before = host.snapshot()
    processed = other(lambda p: host.script.run(p, 9), args=(True, 7), prompt="x", tiling=True)
    assert [c["prior_num_inference_steps"] for c in host.called("encode_prompts")] == [9]
    assert "Kandinsky prior steps: 9" in processed.infotexts[0]
    assert "for other scripts" not in processed.infotexts[0]
    assert host.called("denoise")[0]["tiling"] is True
    assert host.snapshot() == before


def test_a_run_inside_a_run_changes_nothing(host, other):
    class Detailer:
        def postprocess_image(self, p, image):
            inner = host.processing.StableDiffusionProcessingImg2Img(
                init_images=[image], width=64, height=64, prompt="detail"
            )
            hooks = Hooks(host.img2img_twin, (True, 40))
            inner.scripts = host.scripts.Runner([hooks])
            hooks.setup(inner)
            host.processing.process_images(inner)
            inner.close()

    before = host.snapshot()
    other(prompt="x", n_iter=2, hooks=[Detailer()])
    assert host.scripts.swallowed == []
    assert len(host.called("denoise")) == 4
    assert {c["prior_num_inference_steps"] for c in host.called("encode_prompts")} == {25}
    assert host.snapshot() == before


def test_what_is_said_of_a_run_inside_that_has_the_switch_too_is_said_of_the_run(host, other):
    class Detailer:
        def postprocess_image(self, p, image):
            inner = host.processing.StableDiffusionProcessingImg2Img(
                init_images=[image], width=128, height=128, prompt="detail<hypernet:ink:0.8>"
            )
            hooks = Hooks(host.img2img_twin, (True,))
            inner.scripts = host.scripts.Runner([hooks])
            hooks.setup(inner)
            host.processing.process_images(inner)
            inner.close()

    processed = other(
        prompt="x", n_iter=2, hooks=[Detailer()], override_settings={"sd_vae": "own.pt"}
    )
    # Not of its second batch that the VAE was asked for by a run inside.
    assert processed.comments == "Prompt: Kandinsky ignores <hypernet:...>.\n"


@pytest.mark.parametrize("img2img", [False, True])
def test_a_model_that_is_not_there_stops_the_run(host, other, img2img):
    before = host.snapshot()
    values = {"init_images": [RED]} if img2img else {}
    with pytest.raises(host.ext("errors").UserError, match='no Kandinsky model "gone"'):
        other(args=(True, 25, 4.0, "gone"), img2img=img2img, **values)
    assert host.scripts.swallowed == []
    assert host.snapshot() == before


def test_a_script_that_goes_on_after_errors_still_tells_them(host, other):
    def plot(p):
        for _ in range(2):
            with pytest.raises(host.ext("errors").UserError):
                host.processing.process_images(copy.copy(p))
        return list(p.comments)

    (comment,) = other(plot, args=(True, 25, 4.0, "gone"))
    assert comment.startswith('Kandinsky: There is no Kandinsky model "gone"')


def test_a_missing_image_stops_the_run(host, other):
    before = host.snapshot()
    with pytest.raises(host.ext("errors").UserError, match="choose it again"):
        other(args=(True, *host.settings(mix=True)))
    assert host.snapshot() == before


def test_an_error_of_one_cell_is_not_the_next_ones(host, other):
    def plot(p):
        results = []
        for steps in (1000, 5):
            cell = copy.copy(p)
            cell.steps = steps
            try:
                results.append(host.processing.process_images(cell))
            except host.engine.InvalidArgumentError:
                results.append(None)
        return results

    first, second = other(plot)
    assert first is None
    assert len(second.images) == 1


def test_an_error_is_not_that_of_the_same_object_later(host, other):
    def again(p):
        p.n_iter = 0
        with pytest.raises(host.ext("errors").UserError, match="Batch count"):
            host.processing.process_images(p)
        p.n_iter = 1
        return host.processing.process_images(p)

    assert len(other(again).images) == 1


def test_what_a_lost_run_left_is_taken_off_by_the_next(host):
    before = host.snapshot()
    p = host.processing.StableDiffusionProcessingTxt2Img()
    host.shared.state.begin("lost")
    host.twin.setup(p, True)
    assert host.snapshot() != before
    host.shared.state.begin("next")
    host.twin.setup(host.processing.StableDiffusionProcessingTxt2Img(), False)
    assert host.snapshot() == before
    p.close()
    assert host.snapshot() == before


def test_a_reloaded_page_hooks_only_once(host):
    kind = host.processing.StableDiffusionProcessing
    close = kind.close
    host.ext("host.always_on").hook_close()
    assert kind.close is close


def test_pasting_switches_it_and_fills_the_scripts_controls(host, other):
    text = other(args=(True, *host.settings(prior_steps=7, guidance_end=0.5))).infotexts[0]
    params, values = host.paste(host.twin, text)
    assert "Script" not in params
    assert values[0] is True
    _, values = host.paste(host.script, text)
    assert values == host.settings(prior_steps=7, guidance_end=0.5, model="toy", precision="fp32")
    _, values = host.paste(host.twin, host.txt2img().infotexts[0], args=[True, None])
    assert values[0] is False


def page_of(host, values):
    """A processing object as the page makes one: all scripts, and the values of their widgets."""
    script = host.script
    script.args_from, script.args_to = 3, 3 + len(values)
    p = host.processing.StableDiffusionProcessingTxt2Img(
        prompt="x", scripts=host.scripts.Runner([Hooks(host.twin, (True,))], [host.twin, script])
    )
    p.script_args = (0, True, None, *values, "another script's")
    return p


def test_on_the_page_the_settings_are_the_scripts_own(host):
    p = page_of(host, host.settings(prior_steps=7, negative_image="prior"))
    text = host.processing.generate(None, p).infotexts[0]
    assert "Kandinsky prior steps: 7" in text
    assert "Kandinsky negative image: prior" in text
    assert host.called("encode_prompts")[0]["negative_image"] == "prior"


def test_what_a_program_sends_beside_the_switch_counts_instead(host):
    p = page_of(host, host.settings(prior_steps=7))
    p.scripts.hooks[0].args = (True, {"prior_steps": 9, "precision": "Automatic"})
    assert "Kandinsky prior steps: 9" in host.processing.generate(None, p).infotexts[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [(25, "is 25: expected a list or an object"), ({"steps": 1}, "no control 'steps'")],
)
def test_what_is_no_controls_values_is_refused_by_name(host, given, words):
    p = page_of(host, host.settings())
    p.scripts.hooks[0].args = (True, given)
    with pytest.raises(host.ext("errors").UserError, match=words):
        host.processing.generate(None, p)


class Writes:
    """Another extension, which writes a field in one of the host's hooks."""

    def __init__(self, hook, **fields):
        setattr(self, hook, lambda p: [setattr(p, *field) for field in fields.items()])


@pytest.mark.parametrize("hook", ["process", "before_process_batch", "process_batch"])
def test_a_sampler_that_an_extension_writes_counts(host, other, hook):
    other(sampler_name="Euler", hooks=[Writes(hook, sampler_name="Heun", scheduler="Karras")])
    (call,) = host.called("denoise")
    assert (call["sampler"], call["scheduler"]) == ("Heun", "Karras")
    assert host.p.sampler_name == "Heun"


def test_a_hires_sampler_that_an_extension_writes_counts(host, other):
    hook = Writes("process", hr_sampler_name="Heun")
    other(sampler_name="Euler", scheduler="Karras", enable_hr=True, hooks=[hook])
    asked = [(call["sampler"], call["scheduler"]) for call in host.called("denoise")]
    assert asked == [("Euler", "Karras"), ("Heun", "Karras")]


@pytest.mark.parametrize("steps", [None, 12])
def test_each_run_of_an_object_has_the_steps_that_it_is_given(host, other, steps):
    """As img2img's batch with PNG info writes them: the image's own, or what stood there."""

    def batch(p):
        before = p.steps
        for _ in range(2):
            p.steps = int(steps or before)
            host.processing.process_images(p)

    other(batch, args=(True, *host.settings(preset="fast", preset_steps=True)), steps=30)
    calls = host.called("denoise")
    assert [call["num_inference_steps"] for call in calls] == [steps or 7] * 2
