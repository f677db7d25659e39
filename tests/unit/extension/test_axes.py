"""Our axes in the host's X/Y/Z plot: a cell is the image that the same request gives alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.panel_hooks import Hooks

from .conftest import make_model

ROOT = Path(__file__).parents[3]
PLOT = ROOT / "tests" / "support" / "host_stub" / "xyz_grid.py"
RED, BLUE = (Image.new("RGB", (128, 128), colour) for colour in ("red", "blue"))
OTHERS = {
    "prior_steps": ("10", "11"),
    "prior_cfg_scale": ("2", "3.5"),
    "negative_image": ("Text and image", "zero"),
    "precision": ("bf16", "fp32"),
    "model": ("toy-2", "toy"),
    "sampler": ("Heun", "Use same sampler"),
    "scheduler": ("Karras", "Beta"),
    "mix_strength_1": ("-0.5", "1"),
    "mix_strength_2": ("0.2", "2"),
    "mix_method": ("slerp", "sum"),
    "long_prompts": ("True", "False"),
    "cache_interval": ("3", "1"),
    "int8_weights": ("True", "False"),
    "forecast": ("True", "False"),
    "guidance_threshold": ("0.9", "0.8"),
    "preset": ("Fast", "exact"),
    "preset_steps": ("True", "False"),
    "hint_start": ("0.5", "0"),
    "hint_end": ("0.5", "1"),
    "sigmas": ("14.6, 6.5, 2.7, 0.5", "9,3 2 1"),
    "image_encoder": ("a.ckpt", "The model's own"),
    "prior_text_encoder": ("a.ckpt", "The model's own"),
    "prior_model": ("a.ckpt", "The model's own"),
    "text_encoder": ("a.ckpt", "The model's own"),
    "movq": ("a.ckpt", "The model's own"),
    "unet": ("a.ckpt", "The model's own"),
}
"""Two values for an axis each, as they are typed."""


@pytest.fixture
def plot(host):
    """The host's plot, loaded with our scripts and with its page about to be drawn."""
    script, _ = host.scripts.load_script(PLOT, forget=False)
    host.script_callbacks.before_ui_callback()
    host.plot_module = host.scripts.scripts_data[-1].module

    def run(label, texts, settings=None, hooks=(), panel=True, **values):
        args = (panel, *host.settings(**(settings or {})))
        p = host.processing.StableDiffusionProcessingTxt2Img(
            scripts=host.scripts.Runner([Hooks(host.twin, args), *hooks]), **values
        )
        host.plot_p = p
        return host.processing.generate(script, p, (label, texts))

    return run


def labels(host):
    return [option.label for option in host.plot_module.axis_options]


def axis(host, field):
    control = next(row for row in host.ext("controls").CONTROLS if row.field == field)
    return host.ext("host.axes").label(control)


def own_keys(text):
    """What is ours in an image's parameters, but for which script it was."""
    pairs = dict(re.findall(r"(Kandinsky [^:,]+): ([^,]*)", text))
    pairs.pop("Kandinsky for other scripts", None)
    return pairs


def test_every_control_but_images_has_an_axis(host, plot):
    rows = host.ext("controls").CONTROLS
    ours = [label for label in labels(host) if label.startswith("[Kandinsky] ")]
    assert len(ours) == len(set(ours)) == len(rows) - 3
    assert {"[Kandinsky] Prior CFG scale", "[Kandinsky] Sampler", "[Kandinsky] Model"} < set(ours)
    assert labels(host)[0] == "Steps"


def test_axes_are_there_once_however_often_scripts_reload(host, plot):
    before = labels(host)
    host.script_callbacks.before_ui_callback()
    assert labels(host) == before
    # The host loads all scripts again, the plot before or after ours.
    host.scripts.load_script(PLOT)
    host.scripts.load_script(ROOT / "scripts" / "kandinsky.py", forget=False)
    host.script_callbacks.before_ui_callback()
    assert [option.label for option in host.scripts.scripts_data[0].module.axis_options] == before
    assert len(host.script_callbacks.before_ui) == 1


def test_a_host_without_the_plot(host):
    assert [Path(one.path).name for one in host.scripts.scripts_data if "xyz" in one.path] == []
    host.script_callbacks.before_ui_callback()


@pytest.mark.parametrize("field", OTHERS)
def test_a_cell_is_the_image_of_the_same_request_alone(host, plot, field):
    shutil.copytree(host.toy, host.toy.parent / "toy-2")
    others = {}
    if field.startswith("mix_"):
        others = {"mix": True, "mix_image_1": RED, "mix_image_2": BLUE}
    if field == "preset_steps":
        others = {"preset": "fast"}
    if (folder := host.ext("components").FOLDERS.get(field)) is not None:
        (host.toy.parent / folder).mkdir()
        (host.toy.parent / folder / "a.ckpt").write_text(field)
    if field.startswith("hint_"):
        make_model(host.toy.parent / "depth", role="hint")
        others = {"model": "depth", "hint": BLUE}
    cells = plot(axis(host, field), OTHERS[field], others, prompt="x", seed=5)
    row = next(row for row in host.ext("controls").CONTROLS if row.field == field)
    for text, cell in zip(OTHERS[field], cells, strict=True):
        alone = host.txt2img(
            args=host.settings(**others, **{field: row.check(text)}), prompt="x", seed=5
        )
        assert cell.images[0].tobytes() == alone.images[0].tobytes()
        assert own_keys(cell.infotexts[0]) == own_keys(alone.infotexts[0])
        names = [re.findall(", Model: ([^,]*)", one.infotexts[0]) for one in (cell, alone)]
        assert names[0] == names[1] != []
    assert own_keys(cells[0].infotexts[0]) != own_keys(cells[1].infotexts[0])
    assert host.scripts.swallowed == []


def steps_of(host):
    return [call["num_inference_steps"] for call in host.called("denoise")]


def test_a_cell_has_the_steps_of_its_own_preset(host, plot):
    settings = {"preset": "fast", "preset_steps": True}
    cells = plot(axis(host, "preset"), ["Exact", "Fast", "Exact"], settings, steps=30)
    assert steps_of(host) == [30, 7, 30]
    assert ["Steps: 30," in cell.infotexts[0] for cell in cells] == [True, False, True]


@pytest.mark.parametrize("beside", [False, True])
def test_the_hosts_axis_of_steps_counts_beside_a_preset(host, plot, monkeypatch, beside):
    """Also where a cell has what the page says, and beside an axis of ours."""
    options = {option.label: option for option in host.plot_module.axis_options}
    ours, steps = options[axis(host, "prior_steps")], options["Steps"]

    def both(p, value, values):
        p.steps = value
        ours.apply(p, 10, [10])

    if beside:
        monkeypatch.setattr(steps, "apply", both)
    plot("Steps", ["5", "20", "40"], {"preset": "fast", "preset_steps": True}, steps=20)
    assert steps_of(host) == [5, 20, 40]


def test_what_runs_inside_a_cell_has_the_cells_settings(host, plot):
    class Detailer:
        def postprocess_image(self, p, image):
            inner = host.processing.StableDiffusionProcessingImg2Img(
                init_images=[image], width=64, height=64, prompt="detail"
            )
            hooks = Hooks(host.img2img_twin, (True, 40))
            inner.scripts = host.scripts.Runner([hooks])
            hooks.setup(inner)
            inside.append(host.processing.process_images(inner))
            inner.close()

    inside = []
    cells = plot(axis(host, "prior_steps"), ["10", "11"], hooks=[Detailer()], prompt="x")
    encoded = [c["prior_num_inference_steps"] for c in host.called("encode_prompts")]
    assert encoded == [10, 10, 11, 11]
    for steps, cell, one in zip((10, 11), cells, inside, strict=True):
        alone = host.img2img(
            cell.images[0],
            args=host.settings(prior_steps=steps),
            width=64,
            height=64,
            prompt="detail",
        )
        assert one.images[0].tobytes() == alone.images[0].tobytes()
    assert host.scripts.swallowed == []


def test_after_a_plot_nothing_of_it_is_left(host, plot):
    before = host.snapshot()
    plot(axis(host, "prior_steps"), ["10"], prompt="x")
    assert host.snapshot() == before
    assert not hasattr(host.plot_p, "kandinsky_axes")


def test_a_cell_that_fails_is_not_the_next_ones(host, plot):
    shutil.copytree(host.toy, host.toy.parent / "toy-2")
    (host.toy / "broken").touch()
    cells = plot(axis(host, "model"), ["toy", "toy-2"])
    assert [cell is None for cell in cells] == [True, False]
    assert any("the component unet is missing" in comment for comment in host.plot_p.comments)


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("prior_steps", "1", '"Prior inference steps" is 1: expected 2 to 1000'),
        ("mix_strength_1", "7", '"Strength of the prompt or image 1" is 7'),
        (
            "sampler",
            "Restart",
            "\"Kandinsky sampler\" is 'Restart': expected Use same sampler, DDIM",
        ),
        ("model", "gone", "\"Kandinsky model\" is 'gone': expected Automatic, toy"),
        ("negative_image", "one", "expected Text only, Text and image"),
    ],
)
def test_values_are_checked_before_the_first_cell(host, plot, field, text, reason):
    with pytest.raises(host.ext("errors").UserError, match=re.escape(reason)):
        plot(axis(host, field), ["25", text] if field == "prior_steps" else [text])
    assert host.called("denoise") == []


def test_an_axis_of_ours_without_the_panel_is_refused(host, plot):
    with pytest.raises(host.ext("errors").UserError, match='needs "Kandinsky for other'):
        plot(axis(host, "prior_steps"), ["10"], panel=False)


def test_what_opens_the_engine_anew_is_the_outer_loop(host, plot):
    costs = {option.label: option.cost for option in host.plot_module.axis_options}
    for field, cost in {"model": 1, "precision": 1, "int8_weights": 1, "prior_steps": 0}.items():
        assert costs[axis(host, field)] == cost
