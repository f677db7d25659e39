"""What the page shows in another language: the host replaces texts that its files know."""

from __future__ import annotations

import json
import re

import gradio as gr
import pytest

from .conftest import ROOT

FILES = sorted((ROOT / "localizations").glob("*.json"))
NAMES = re.compile(r"fp32|bf16|fp16|CPU|toy|[\d.]+ [GM]B|refresh|fp32: a fake\.|\d+( x \d+)?|[.:]?")
"""Names, and what the stand-ins say."""


def texts_of(block):
    """What the host's script would find of a block: texts of elements, and tooltips."""
    yield getattr(block, "webui_tooltip", None)
    if isinstance(block, gr.HTML):
        # Of known models the page shows what the table of them says.
        text = re.sub(r"<td>.*?</td>", "", f">{block.value}<")
        yield from re.findall(r">([^<>]+)<", text)
        return
    yield getattr(block, "label", None)
    if isinstance(block, gr.Button) and block.visible:
        yield block.value


def shown(host):
    """All texts of ours on the page, with a model loaded and without, and on the settings page."""
    found = {"yes", "no", "The engine is being built"}
    for _ in range(2):
        with gr.Blocks() as page:
            host.script.ui(False)
            host.twin.ui(False)
        for block in page.blocks.values():
            found.update(texts_of(block))
        host.txt2img()
    offers, tools = host.ext("offers"), host.ext("host.tools")
    for offer in (offers.demo_line(), offers.offer("toy", [], tools.model_roots())[0]):
        found.update(re.findall(r">([^<>]+)<", offer))
    for _ in range(2):
        line = host.ext("ui").unloaded_line(host.ext("host.tools"))
        found.update(re.findall(r"<span>([^<>]+)<", line))
    for row in host.ext("controls").CONTROLS:
        if type(row).__name__ == "Choice":
            found.update(row.shown(choice) for choice in row.choices)
    host.script_callbacks.ui_settings_callback()
    for key, option in host.shared.opts.data_labels.items():
        if key.startswith("kandinsky_"):
            about = re.findall(r"<span class='info'>([^<>]+)</span>", option.comment_after)
            assert len(about) == 1, f"{key} has no sentence"
            found.update([option.label, *about])
    return {text.strip() for text in found if text and not NAMES.fullmatch(text.strip())}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_language_has_every_text_of_the_page_and_no_others(host, file):
    known = json.loads(file.read_text("utf-8"))
    texts = shown(host)
    assert texts - set(known) == set()
    assert set(known) - texts == set()
    assert all(re.search("[А-Яа-я]", value) for value in known.values())
