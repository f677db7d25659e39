"""Parameters written into images and pasted back."""

import gradio as gr
import pytest


def draw(host):
    with gr.Blocks():
        return host.script.ui(False)


def test_what_an_image_says(host):
    text = host.txt2img(prompt="a, b", negative_prompt="c: d", seed=3).infotexts[0]
    params = host.infotext_utils.parse_generation_parameters(text)
    assert params["Prompt"] == "a, b"
    assert params["Negative prompt"] == "c: d"
    assert params["Script"] == "Kandinsky"
    assert params["Sampler"] == "DDIM", "as the host calls it"
    assert params["Kandinsky prior steps"] == "25"
    assert params["Kandinsky prior CFG scale"] == "4.0"
    assert params["Kandinsky model"] == "toy", "the model that generated, not Automatic"
    assert params["Kandinsky precision"] == "fp32", "what auto became"
    assert params["Model"] == "toy"
    assert params["Seed"] == "3"


def test_what_has_no_part_in_the_image_is_left_out(host):
    host.shared.opts.CLIP_stop_at_last_layers = 2
    host.shared.opts.randn_source = "NV"
    host.shared.opts.eta_noise_seed_delta = 31337
    host.shared.opts.s_min_uncond = 2.0
    host.shared.opts.token_merging_ratio = host.shared.opts.token_merging_ratio_hr = 0.5
    for hires in (False, True):
        text = host.txt2img(enable_hr=hires).infotexts[0]
        for key in ("Clip skip", "VAE", "RNG", "ENSD", "NGMS", "Token merging"):
            assert key not in text
            assert key not in host.p.params_txt
    assert host.txt2img().infotexts[0] == host.p.params_txt


def test_the_noise_source_is_named_when_it_is_the_hosts(host):
    host.shared.opts.randn_source = "NV"
    assert "RNG: NV" in host.txt2img(subseed_strength=0.3).infotexts[0]


def test_a_dictionary_shared_with_an_earlier_run_keeps_nothing(host):
    shared = {"Mine": "kept"}
    host.txt2img(extra_generation_params=shared, args=(7,), subseed_strength=0.3)
    text = host.txt2img(extra_generation_params=shared, args=(9,)).infotexts[0]
    assert "Kandinsky prior steps: 9" in text
    assert "Mine: kept" in text
    assert "RNG" not in text


@pytest.mark.parametrize(
    "given",
    [(25, 4.0, "Automatic", "auto"), (7, 2.5, "toy", "fp32"), (1000, 20.0, "second, odd", "bf16")],
)
def test_pasting_gives_every_control_what_generated_the_image(host, given):
    (host.models / "Kandinsky" / "second, odd").mkdir()
    for name in ("model_index.json",):
        content = (host.toy / name).read_text()
        (host.models / "Kandinsky" / "second, odd" / name).write_text(content)
    first = host.txt2img(args=given, prompt="x, y")
    params, values = host.paste(host.script, first.infotexts[0])
    assert values[:2] == list(given[:2])
    assert values[2] != "Automatic"
    assert values[3] in ("fp32", "bf16")
    assert params["Sampler"] == "DDIM", "a name that the host's own field knows"
    again = host.txt2img(args=tuple(values), prompt="x, y")
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert again.infotexts == first.infotexts


NAMES = [
    *('"quoted"', '"', 'half"', "a, b", '"a, b"', "c: d", "back\\slash\\", "new\nline", "кот 猫"),
    *(" spaces around ", "Kandinsky model", "512x768", "true", "0", "None", "{}", "x" * 200),
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_model_survives_the_hosts_parser(host, name):
    host.toy.rename(host.toy.with_name(name))
    text = host.txt2img(prompt="x").infotexts[0]
    _, values = host.paste(host.script, text)
    assert values == host.settings(model=name, precision="fp32")


@pytest.mark.parametrize("value", ["", " ", "\t", '"', '""', "Key", "1x2", "a, b", ",", ":", "\\"])
def test_any_text_survives_the_hosts_parser(host, value):
    infotext, utils = host.ext("infotext"), host.infotext_utils
    written = infotext.text_value("Key", value)
    pair = "Key" if written == "Key" else f"Key: {utils.quote(written)}"
    params = utils.parse_generation_parameters(f"x\nSteps: 2, {pair}, Seed: 1, Script: Kandinsky")
    infotext.join_sizes(params, ["Key"])
    assert params["Key"] == value


def test_pasting_an_image_of_others_leaves_the_controls_alone(host):
    draw(host)
    params, values = host.infotext_utils.paste(
        host.script.infotext_fields, "a cat\nSteps: 20, Sampler: Euler a, Seed: 1"
    )
    assert values == [None] * len(values)
    assert params["Sampler"] == "Euler a"


def test_what_is_not_in_an_image_of_ours_is_pasted_as_its_default(host):
    changed = host.settings(sampler="DDPM", long_prompts=True, guidance_end=0.5)
    text = host.txt2img(args=changed).infotexts[0]
    assert "Kandinsky sampler: DDPM" in text
    assert "Kandinsky long prompts: True" in text
    assert "Kandinsky guidance end: 0.5" in text
    plain = host.txt2img().infotexts[0]
    assert "guidance" not in plain
    assert "mix" not in plain
    _, values = host.paste(host.script, plain, args=changed)
    expected = host.settings(model="toy", precision="fp32")
    assert values == expected


def test_the_send_to_buttons_carry_every_control(host):
    """The host carries the values of fields with these plain keys from tab to tab, in order."""
    for script in (host.script, host.img2img_script):
        with gr.Blocks():
            components = script.ui(script.is_img2img)
        carried = [
            component
            for component, key in script.infotext_fields
            if key in script.paste_field_names
        ]
        assert carried == components
    assert host.script.paste_field_names == host.img2img_script.paste_field_names


@pytest.mark.parametrize(
    ("settings", "opened"),
    [({}, False), ({"mix_strength_2": 1.0}, False), ({"guidance_end": 0.5}, True)],
)
def test_pasting_opens_the_panel_that_holds_something(host, settings, opened):
    text = host.txt2img(args=host.settings(**settings)).infotexts[0]
    draw(host)
    params = host.infotext_utils.parse_generation_parameters(text)
    (update,) = [
        key(params)
        for component, key in host.script.infotext_fields
        if type(component).__name__ == "Accordion"
    ]
    assert (update is not None and update["open"]) is opened


OLD = (
    "x\nSteps: 4, Seed: 1, Script: Kandinsky, Kandinsky precision: auto, "
    "Kandinsky negative image: prior, Kandinsky inpaint: blend, Kandinsky sampler: Use the host's"
)


def test_an_infotext_with_the_engines_words_is_pasted_in_the_pages(host):
    _, values = host.paste(host.script, OLD)
    shown = dict(zip((row.field for row in host.ext("controls").CONTROLS), values, strict=True))
    assert (shown["precision"], shown["negative_image"]) == ("Automatic", "Text and image")
    assert (shown["inpaint_method"], shown["sampler"]) == ("The model itself", "Use same sampler")


def test_a_pasted_model_that_is_not_here_is_said(host):
    with pytest.raises(host.ext("errors").UserError, match='no Kandinsky model "gone"'):
        host.txt2img(args=(25, 4.0, "gone"))
