"""What the page shows in another language: the host replaces texts that its files know."""

from __future__ import annotations

import ast
import html
import itertools
import json
import re
import sys
from pathlib import Path

import gradio as gr
import pytest

from .conftest import ROOT

FILES = sorted((ROOT / "localizations").glob("*.json"))
NAMES = re.compile(r"fp32:?|bf16|fp16|CPU|toy|[\d.]+ [GM]B:?|refresh|\d+( x \d+)?|[.:]?")
"""Names, and what the stand-ins say."""
CORE = ROOT / "core"
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
GET = ROOT / "bindings" / "kandinsky_engine" / "get"


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
    found.update(host.ext("phrases").ALL)
    for _ in range(2):
        line = host.ext("ui").unloaded_line(host.ext("host.tools"))
        found.update(re.findall(r"<span>([^<>]+)<", line))
    for row in host.ext("controls").CONTROLS:
        if type(row).__name__ == "Choice":
            found.update(row.shown(choice) for choice in row.choices)
    host.script_callbacks.ui_settings_callback()
    for key, option in host.shared.opts.data_labels.items():
        if isinstance(option, host.shared.OptionHTML):
            found.add(option.default)
        elif key.startswith("kandinsky_"):
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


def left_in_english(host, text):
    """Of a text, what the page cannot translate; numbers and names of types are none."""
    rest = html.unescape(re.sub(r"<span>[^<]*</span>", "", host.ext("phrases").marked(text)))
    rest = re.sub(r"fp32|[\d.]+ (GB|MB|min|s)\b", "", rest)
    return re.findall(r"[A-Za-z]{2,}", rest)


def of_the_source(path, statement):
    """What statements of a C++ source have in quotes, with a number for each value in them."""
    source = (CORE / path).read_text("utf-8")
    texts = ["".join(LITERAL.findall(one)) for one in re.findall(statement, source, re.DOTALL)]
    return [re.sub(r"\{[^{}]*\}", "1.5", text) for text in texts]


def test_each_reason_for_a_precision_can_be_translated(host):
    reasons = of_the_source("tensor/device.cpp", r"return \{\s*\{.*?\};")
    assert len(reasons) == 6
    assert "precision fp32 was asked for" in reasons
    assert [left_in_english(host, f"fp32: {reason}.") for reason in reasons] == [[]] * 6


def test_a_measured_ratio_reads_right_below_one_too(host):
    """The reason is the same where bf16 is slower, and no verb may say that it is faster."""
    known = json.loads((ROOT / "localizations" / "ru_RU.json").read_text("utf-8"))
    (reason,) = [
        text
        for text in of_the_source("tensor/device.cpp", r"return \{\s*\{.*?\};")
        if "measured" in text
    ]
    marked = host.ext("phrases").marked(reason.replace("1.5", "0.5"))
    shown = re.sub("<span>([^<]*)</span>", lambda found: known[found[1]], marked)
    assert shown == (
        "по замеру на этой машине, скорость bf16 относительно fp32: 0.5 в свёртках, 0.5 в "
        "произведениях матриц"
    )


def test_each_kind_of_memory_plan_can_be_translated(host):
    (kinds,) = re.findall(
        r"const char\* const how =(.*?);",
        (CORE / "pipelines/memory/memory_plan.cpp").read_text("utf-8"),
        re.DOTALL,
    )
    assert set(LITERAL.findall(kinds)) == set(host.ext("phrases").MEMORY)


def test_what_an_installer_says_can_be_translated(host):
    begun = re.findall(r"progress\.begin\(f?\"([a-z ]+)", (ROOT / "install.py").read_text("utf-8"))
    assert len(begun) == 4
    for what in (*begun, "beginning"):
        assert left_in_english(host, f"{what.strip()}: 40 / 210, time left: about 3 min") == []


def test_what_is_said_of_known_models_can_be_translated(host):
    """But for names and folders."""
    words = host.ext("get").words
    texts = []
    for families in (("kandinsky-2-1",), ("kandinsky-2-1", "kandinsky-2-2")):
        texts += [row.what for row in words.rows([], families)]
    english = {word for text in texts for word in left_in_english(host, text)}
    assert english == {"Kandinsky", "controlnet", "depth", "demo", "model"}
    phrases = host.ext("phrases")
    marked = "".join(map(phrases.marked, texts))
    assert [one for one in phrases.MODELS if f">{html.escape(one)}<" not in marked] == []
    # As the page shows them.
    table = html.unescape(host.ext("downloads").table([]))
    assert "<span>Kandinsky 2.1 <span>inpainting</span>; <span>works beside</span> 2.1" in table


def test_problems_can_be_translated(bare_host, tmp_path, monkeypatch):
    """But for paths and commands."""
    status, tools = bare_host.ext("status"), bare_host.ext("host.tools")
    monkeypatch.setattr(bare_host.ext("engine"), "ROOT", Path("/1"))
    monkeypatch.setattr(sys, "executable", "/2")
    problem = status.problem(tools)
    assert set(left_in_english(bare_host, problem)) <= {"cpu", "cp", "install", "py"}
    monkeypatch.setattr(bare_host.ext("engine"), "problem", lambda: None)
    monkeypatch.setattr(tools, "model_roots", lambda: [Path("/3")])
    assert left_in_english(bare_host, status.problem(tools)) == []


def test_phrases_are_found_in_whole_words_alone(host):
    marked = host.ext("phrases").marked
    assert marked("aboutness: <1> about 2") == "aboutness: &lt;1&gt; <span>about</span> 2"


@pytest.mark.parametrize(
    "path", ["/data/inpainting", r"D:\about\answers", "2-inpainting", "/x/about.old", "a.about"]
)
def test_what_is_in_a_path_or_a_name_is_left_alone(host, path):
    marked = host.ext("phrases").marked
    assert marked(f"{path}/x: about 2, inpainting.") == (
        f"{path}/x: <span>about</span> 2, <span>inpainting</span>."
    )


def texts_in(node):
    """What an expression of Python has in quotes, with a number for each value."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield from map("".join, itertools.product(*map(texts_in, node.values)))
        case ast.FormattedValue(value=ast.IfExp()):
            yield from texts_in(node.value)
        case ast.FormattedValue():
            yield "1.5"
        case _:
            for part in ast.iter_child_nodes(node):
                yield from texts_in(part)


def told(path):
    """What a part of kandinsky_engine.get says of what went wrong."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="HubError" | "NotThereError" | "PassingError")):
                yield from texts_in(node.args[0])
            case ast.Call(func=ast.Attribute(attr="_end")):
                yield from texts_in(node.args[1])
            case ast.Assign(
                targets=[ast.Name(id="said" | "todo") | ast.Attribute(attr="_message")]
            ):
                yield from texts_in(node.value)
            case ast.FunctionDef(name="_disk_error"):
                yield from (text for part in node.body for text in texts_in(part))


def test_what_ends_a_download_can_be_translated(host):
    """But for addresses, and what the server or the system says."""
    texts = [text for name in ("hub", "download") for text in told(GET / f"{name}.py")]
    english = {text for text in texts if left_in_english(host, text)}
    assert english == {"Retry-After", "Content-Range"}
    marked = "".join(map(host.ext("phrases").marked, texts))
    unused = [
        phrase
        for phrase in host.ext("phrases").FAILURES
        if f">{html.escape(phrase)}<" not in marked
    ]
    assert unused == []
