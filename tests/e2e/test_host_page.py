"""The extension's page, drawn by the host's gradio and operated in Chromium as a person would.

Needs Debian's chromium. KANDINSKY_SCREENSHOTS=<folder> keeps what the browser showed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from support.fake_hub import FakeHub

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "extension"))

from kandinsky_ext.controls import CONTROLS  # noqa: E402  after the path

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
ID = "#script_txt2img_kandinsky_"
"""The host's prefix for a script that is in both tabs."""
DEFAULTS = {row.field: row.shown(row.default) for row in CONTROLS}
"""What the widgets say at first, in the order of the API's arguments."""
HOST_SCRIPT = """
    window.gradioApp = () => document;
    window.onUiLoaded = (callback) => callback();
"""
"""What the host gives extensions' scripts."""


def values(**changed):
    return list({**DEFAULTS, **changed}.values())


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "these tests need chromium (Debian: apt-get install chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host") / "models"
    add_model(folder, "toy")
    return folder


def add_model(models, name, **more):
    (models / "Kandinsky" / name).mkdir(parents=True)
    index = {**{name: [] for name in ("unet", "movq", "text_encoder")}, **more}
    (models / "Kandinsky" / name / "model_index.json").write_text(json.dumps(index))


@pytest.fixture(scope="module")
def hub():
    """One whose Kandinsky 2.1 is the demo model."""
    with FakeHub() as server:
        for ending in ("", "-prior"):
            server.add_folder(
                f"kandinsky-community/kandinsky-2-1{ending}",
                ROOT / "demo" / "model" / f"kandinsky-demo{ending}",
            )
        yield server


@pytest.fixture(scope="module")
def address(models, hub):
    """Starts the page, once for each set of flags: importing gradio and torch takes the most time
    here.
    """
    servers = {}

    def start(*flags):
        if flags not in servers:
            port = free_port()
            server = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "tests/support/host_page.py"),
                    str(port),
                    str(models),
                    *flags,
                ],
                stdout=subprocess.PIPE,
                text=True,
                env={
                    **os.environ,
                    "GRADIO_ANALYTICS_ENABLED": "False",
                    "HF_ENDPOINT": hub.address,
                    "NO_PROXY": "127.0.0.1",
                },
                cwd=models,
            )
            servers[flags] = server, f"http://127.0.0.1:{port}"
            assert any(line == "ready\n" for line in server.stdout), "the page did not start"
        return servers[flags][1]

    yield start
    for server, _ in servers.values():
        server.terminate()
        server.wait()
        server.stdout.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page; the browser may talk to nobody else, and must not complain."""
    contexts, complaints = [], []

    def open_one(*flags):
        url = address(*flags)
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        contexts.append(context)
        context.route(
            lambda asked: not asked.startswith((url, "data:", "blob:")),
            lambda route: route.abort(),
        )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        page.locator(f"{ID}prior_steps input[type=range]").wait_for(timeout=60_000)
        page.add_style_tag(path=str(ROOT / "style.css"))
        page.add_script_tag(content=HOST_SCRIPT)
        page.add_script_tag(path=str(ROOT / "javascript" / "kandinsky.js"))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def keep(page, name):
    folder = os.environ.get("KANDINSKY_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def number(page, field):
    return page.locator(f"{ID}{field} input[type=number]")


def choose(page, field, word):
    box = page.locator(f"{ID}{field} input")
    box.click()
    page.locator("ul.options li", has_text=word).click()
    expect(box).to_have_value(word)


def generate(page, prompt="a red circle"):
    page.locator("#prompt textarea").fill(prompt)
    page.locator("#generate").click()
    arrived = page.locator("#arrived textarea")
    expect(arrived).not_to_have_value("", timeout=60_000)
    return json.loads(arrived.input_value())


def value(page, elem_id):
    return page.locator(f"#{elem_id} textarea").input_value()


def test_what_a_newcomer_sees_and_gets(open_page):
    page = open_page()
    for label in (
        "Prior inference steps",
        "Prior CFG scale",
        "Kandinsky model",
        "Precision",
    ):
        expect(page.get_by_text(label, exact=True).first).to_be_visible()
    expect(number(page, "prior_steps")).to_have_value("25")
    slider = page.locator(f"{ID}prior_steps input[type=range]")
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == ("2", "1000")
    keep(page, "newcomer")
    assert generate(page) == values()
    image = page.locator("#image img")
    expect(image).to_be_visible()
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [192, 128]
    assert value(page, "comments") == ""
    assert value(page, "infotext").startswith("a red circle\nSteps: ")
    assert "Sampler: Euler a, " in value(page, "infotext")
    keep(page, "image")


def test_every_control_arrives(open_page):
    page = open_page()
    number(page, "prior_steps").fill("40")
    slider = page.locator(f"{ID}prior_cfg_scale input[type=range]")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(number(page, "prior_cfg_scale")).to_have_value("5.5")
    choose(page, "model", "toy")
    choose(page, "precision", "bf16")
    keep(page, "controls")
    assert generate(page) == values(
        prior_steps=40, prior_cfg_scale=5.5, model="toy", precision="bf16"
    )
    assert "Kandinsky prior steps: 40, Kandinsky prior CFG scale: 5.5" in value(page, "infotext")


def test_the_advanced_panel(open_page):
    page = open_page()
    expect(page.locator(f"{ID}guidance_rescale")).to_be_hidden()
    page.get_by_text("Advanced", exact=True).click()
    choose(page, "sampler", "DDPM")
    choose(page, "negative_image", "Text and image")
    number(page, "guidance_rescale").fill("0.7")
    page.locator(f"{ID}long_prompts input").check()
    keep(page, "advanced")
    assert generate(page) == values(
        sampler="DDPM", negative_image="Text and image", guidance_rescale=0.7, long_prompts=True
    )
    assert "Sampler: Kandinsky DDPM" in value(page, "infotext")


def test_image_mixing(open_page, tmp_path):
    page = open_page()
    expect(page.locator(f"{ID}mix_image_2")).to_be_hidden()
    page.locator(f"{ID}mix-checkbox input").check()
    page.locator(f"{ID}mix .label-wrap").first.click()
    for label in ("Strength of the prompt or image 1", "Strength of image 2"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    generate(page)
    assert "choose it again" in value(page, "comments")
    Image.new("RGB", (40, 30), (0, 0, 255)).save(tmp_path / "blue.png")
    page.locator(f"{ID}mix_image_2 input[type=file]").set_input_files(str(tmp_path / "blue.png"))
    expect(page.locator(f"{ID}mix_image_2 img")).to_be_visible()
    number(page, "mix_strength_2").fill("1.5")
    keep(page, "mixing")
    page.locator("#generate").click()
    expect(page.locator("#infotext textarea")).to_have_value(
        re.compile("Kandinsky mix of: Prompt \\+ image"), timeout=60_000
    )
    assert json.loads(value(page, "arrived")) == values(
        mix=True, mix_image_2=[40, 30], mix_strength_2=1.5
    )
    keep(page, "mixed")


def test_depth_control(open_page, models, tmp_path):
    add_model(models, "depth", role="hint")
    page = open_page()
    slot = page.locator(f"{ID}hint")
    expect(slot).to_be_hidden()
    page.locator(f"{ID}model_refresh").click()
    page.wait_for_timeout(500)
    choose(page, "model", "depth")
    expect(slot).to_be_visible()
    generate(page)
    assert "please choose it again" in value(page, "comments")
    Image.linear_gradient("L").save(tmp_path / "map.png")
    page.locator(f"{ID}hint input[type=file]").set_input_files(str(tmp_path / "map.png"))
    expect(page.locator(f"{ID}hint img")).to_be_visible()
    number(page, "hint_end").fill("0.75")
    keep(page, "depth")
    page.locator("#generate").click()
    expect(page.locator("#infotext textarea")).to_have_value(
        re.compile("Kandinsky hint: [0-9a-f]{10}, Kandinsky hint end: 0.75"), timeout=60_000
    )
    assert json.loads(value(page, "arrived")) == values(
        model="depth", hint=[256, 256], hint_end=0.75
    )
    # In sight as long as it stands in the way.
    choose(page, "model", "toy")
    page.wait_for_timeout(500)
    expect(slot).to_be_visible()
    page.locator(f"{ID}hint button[aria-label=Clear], {ID}hint [title=Clear]").first.click()
    expect(slot).to_be_hidden()


def test_pasting_moves_the_controls(open_page):
    page = open_page()
    page.locator("#infotext textarea").fill(
        "x\nSteps: 4, Script: Kandinsky, Kandinsky prior steps: 77, "
        "Kandinsky prior CFG scale: 2.5, Kandinsky model: elsewhere, Kandinsky precision: fp32, "
        "Kandinsky guidance end: 0.8"
    )
    page.locator("#paste").click()
    expect(number(page, "prior_steps")).to_have_value("77")
    expect(number(page, "prior_cfg_scale")).to_have_value("2.5")
    expect(page.locator(f"{ID}model input")).to_have_value("elsewhere")
    expect(page.locator(f"{ID}precision input")).to_have_value("fp32")
    # What is not at its default is not left hidden.
    expect(page.locator(f"{ID}guidance_end")).to_be_visible()
    assert generate(page) == values(
        prior_steps=77, prior_cfg_scale=2.5, model="elsewhere", precision="fp32", guidance_end=0.8
    )
    assert 'no Kandinsky model "elsewhere"' in value(page, "comments")


def test_refresh_finds_a_model_that_came_later(open_page, models):
    page = open_page()
    add_model(models, "later")
    page.locator(f"{ID}model_refresh").click()
    page.wait_for_timeout(500)
    choose(page, "model", "later")
    assert generate(page)[2] == "later"


def test_unload(open_page):
    page = open_page()
    status = page.locator(f"{ID}status").first
    generate(page)
    page.locator(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky is unloaded.")
    page.locator(f"{ID}unload").click()
    expect(status).to_contain_text("Kandinsky was not loaded.")


def test_the_status_follows_runs(open_page):
    page = open_page()
    status = page.locator(f"{ID}status").first
    page.locator(f"{ID}unload").click()
    expect(status).to_contain_text("Not loaded")
    generate(page)
    expect(status).to_contain_text("loaded")
    expect(status).to_contain_text("fp32: precision fp32 was asked for.")


def test_a_model_is_downloaded_and_then_chosen(open_page, hub):
    weights = "kandinsky-community/kandinsky-2-1/unet/diffusion_pytorch_model.safetensors"
    hub.twists[f"GET {weights}"] = ["slow"] * 2
    page = open_page()
    assert hub.requests == []
    page.get_by_text("Get models").click()
    status = page.locator(f"{ID}get_status").first
    page.locator(f"{ID}get_download").click()
    # Nobody presses refresh: the page polls.
    expect(status).to_contain_text("time left: ", timeout=60_000)
    keep(page, "downloading")
    other = open_page().locator(f"{ID}get_status").first
    expect(other).to_contain_text("time left: ", timeout=60_000)
    page.locator(f"{ID}get_pause").click()
    expect(status).to_contain_text("2.1 is paused", timeout=60_000)
    hub.twists.clear()
    page.locator(f"{ID}get_download").click()
    expect(status).to_contain_text("2.1 is downloaded to ", timeout=60_000)
    expect(page.locator(f"{ID}get_table tr").nth(1).locator("td").last).to_have_text("yes")
    keep(page, "downloaded")
    page.locator(f"{ID}model_refresh").click()
    page.wait_for_timeout(500)
    choose(page, "model", "kandinsky-2-1")
    offer = page.locator(f"{ID}offer_text").first
    expect(offer).to_contain_text("768 x 768")
    button = page.locator(f"{ID}offer_set")
    fields = [page.locator(f"#txt2img_{name} input[type=number]") for name in FIELDS]
    assert [field.input_value() for field in fields] == ["512", "512", "7"]
    keep(page, "offered")
    button.click()
    for field, expected in zip(fields, ("768", "768", "4"), strict=True):
        expect(field).to_have_value(expected)
    expect(button).to_be_hidden()
    choose(page, "model", "toy")
    expect(offer).to_contain_text("128 x 128")
    expect(button).to_be_visible()
    choose(page, "model", "kandinsky-2-1")
    expect(button).to_be_hidden()


FIELDS = ("width", "height", "cfg_scale")


def test_a_missing_engine_is_explained_on_the_page_and_on_generate(open_page):
    page = open_page("--without-engine")
    expect(page.locator(f"{ID}status").first).to_contain_text("not built for torch")
    keep(page, "without-engine")
    generate(page)
    assert "not built for torch" in value(page, "comments")
    expect(page.locator("#image img")).to_have_count(0)
