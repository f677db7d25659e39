"""The page's parts, without a browser; tests/e2e renders it."""

import typing

import gradio as gr
import pytest


def draw(host):
    with gr.Blocks() as page:
        components = host.script.ui(False)
    return page, components


def test_drawing_is_repeatable_and_opens_nothing(host):
    for _ in range(3):
        _, components = draw(host)
    kinds = {"Slider": "Slider", "Choice": "Dropdown", "Switch": "Checkbox", "Image": "Image"}
    kinds["Numbers"] = "Textbox"
    rows = host.ext("controls").CONTROLS
    drawn = [
        type(component).__name__.replace("InputAccordion", "Checkbox") for component in components
    ]
    assert drawn == [kinds[type(row).__name__] for row in rows]
    assert [component.label for component in components] == [row.label for row in rows]
    assert host.calls == []


ROWS = {
    "Slider": {"default": 1, "minimum": 0, "maximum": 2, "step": 1},
    "Choice": {"default": "a", "choices": ("a", "b")},
    "Switch": {},
    "Numbers": {},
    "Image": {},
}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("group", range(10))
def test_a_row_of_any_kind_is_drawn_in_any_group(host, monkeypatch, kind, group):
    rows, table = host.ext("rows"), host.ext("controls").CONTROLS
    assert set(ROWS) == {kind.__name__ for kind in rows.Control.__subclasses__()}
    groups = host.ext("controls").GROUPS
    assert len(groups) == 10
    assert {group.panel for group in groups} == set(typing.get_args(rows.Panel))
    row = getattr(rows, kind)(
        field="new", label="New", infotext="N", group=groups[group], **ROWS[kind]
    )
    for module in ("controls", "infotext", "ui"):
        monkeypatch.setattr(host.ext(module), "CONTROLS", (*table, row))
    _, components = draw(host)
    assert components[-1].label == "New"
    assert len(components) == len(table) + 1


def test_the_switch_of_the_presets_stands_beside_them(host):
    _, components = draw(host)
    rows = {}
    for component in components:
        above = component
        while not isinstance(above, gr.Row):
            above = above.parent
            if above is None:
                break
        rows[component.label] = above
    assert rows["Preset also sets sampler and steps"] is rows["Preset"] is not None
    assert rows["Read long prompts whole"] is not rows["Inpaint with"]


def test_a_row_is_all_that_an_option_needs(host, monkeypatch):
    rows, table = host.ext("rows"), host.ext("controls").CONTROLS
    row = rows.Slider(
        field="new",
        option="variation_strength",
        label="New",
        infotext="N",
        group=host.ext("controls").PRIOR,
        **ROWS["Slider"],
    )
    for module in ("controls", "infotext", "ui"):
        monkeypatch.setattr(host.ext(module), "CONTROLS", (*table, row))
    processed = host.txt2img(prompt="x", args=host.settings(new=2))
    assert host.called("denoise")[0]["variation_strength"] == 2
    assert ", N: 2" in processed.infotexts[0]


def test_ids_and_labels_are_unique(host):
    page, _ = draw(host)
    blocks = list(page.blocks.values())
    ids = [block.elem_id for block in blocks if block.elem_id]
    assert len(ids) == len(set(ids)) >= 7
    labels = [label for block in blocks if (label := getattr(block, "label", None))]
    assert len(labels) == len(set(labels))


def test_the_engines_names_are_offered_beside_the_hosts_own(host):
    _, components = draw(host)
    words = {component.label: getattr(component, "choices", None) for component in components}
    for label, own, names in (
        ("Kandinsky sampler", "Use same sampler", host.engine.SAMPLERS),
        ("Kandinsky schedule type", "Use same scheduler", host.engine.SCHEDULERS),
    ):
        choices = [c[0] if isinstance(c, tuple) else c for c in words[label]]
        assert choices == [own, *names]


def test_both_tabs_are_drawn_with_ids_of_their_own(host):
    with gr.Blocks() as page:
        for script in (host.script, host.img2img_script):
            script.ui(script.is_img2img)
    ids = [block.elem_id for block in page.blocks.values() if block.elem_id]
    assert len(ids) == len(set(ids))


def find(page, ending):
    return next(b for b in page.blocks.values() if (b.elem_id or "").endswith(ending))


def clicked(page, ending, outputs=None):
    """The function behind a button: the first, or that with so many outputs."""
    button = find(page, ending)._id
    return next(
        page.fns[i].fn
        for i, dependency in enumerate(page.dependencies)
        if button in dependency["targets"] and outputs in (None, len(dependency["outputs"]))
    )


def status_line(host):
    page, _ = draw(host)
    return find(page, "kandinsky_status").value


def test_the_status_line_says_what_is_loaded_and_why(host):
    assert "<b>Not loaded</b>" in status_line(host)
    host.txt2img()
    line = status_line(host)
    for words in (
        *("<b>toy</b>", "<span>CPU</span>", "<span>fp32</span>", "543 MB"),
        "fp32: <span>precision fp32 was asked for</span>.",
        "543 MB: <span>everything stays loaded</span>.",
    ):
        assert words in line
    host.ext("engine").keeper.unload()
    assert "<b>Not loaded</b>" in status_line(host)


def test_the_status_line_escapes_what_is_in_names(host):
    host.toy.rename(host.toy.with_name("a <b> & c"))
    host.txt2img()
    assert "<b>a &lt;b&gt; &amp; c</b>" in status_line(host)


def test_a_button_of_the_pages_script_chooses_ours(host):
    with gr.Blocks() as page:
        dropdown = gr.Dropdown(["None", "Kandinsky"])
        host.scripts.scripts_txt2img = host.scripts.Runner()
        host.scripts.scripts_txt2img.inputs = [dropdown]
        host.script.ui(False)
    assert clicked(page, "_choose")() == "Kandinsky"
    assert not find(page, "_choose").visible
    # As the web API draws it: the dropdown is on another page.
    other, _ = draw(host)
    assert not any((block.elem_id or "").endswith("_choose") for block in other.blocks.values())


def test_every_control_but_images_has_a_tooltip(host):
    _, components = draw(host)
    for row, component in zip(host.ext("controls").CONTROLS, components, strict=True):
        shows = getattr(component, "accordion", component)
        assert getattr(shows, "webui_tooltip", "") == row.info
        assert row.info or type(row).__name__ == "Image"


def test_refresh_finds_a_new_model(host):
    page, components = draw(host)
    assert list(components[2].choices) in (
        ["Automatic", "toy"],
        [("Automatic", "Automatic"), ("toy", "toy")],
    )
    (host.models / "Kandinsky" / "other").mkdir()
    index = (host.toy / "model_index.json").read_text()
    (host.models / "Kandinsky" / "other" / "model_index.json").write_text(index)
    assert "other" in clicked(page, "_model_refresh")()["choices"]


def test_unload_closes_the_engine_under_the_hosts_lock(host, monkeypatch):
    page, _ = draw(host)
    unload = clicked(page, "_unload")
    assert "Kandinsky was not loaded." in unload()
    host.txt2img()
    locked = []
    monkeypatch.setattr(
        host.engine.Engine,
        "close",
        lambda self: locked.append(host.call_queue.queue_lock.locked()),
    )
    collected = []
    monkeypatch.setattr(host.devices, "torch_gc", lambda: collected.append(True))
    line = unload()
    assert "Kandinsky is unloaded." in line
    assert "stay until the host ends" in line
    assert locked == [True]
    assert collected == [True]
    host.txt2img()
    assert len(host.called("open")) == 2
