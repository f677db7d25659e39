"""The panel that gets models, the demo model that stands in, and what suits a model."""

import html
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest
from support.fake_hub import FakeHub

from .conftest import ROOT, make_model
from .test_ui import clicked, draw, find

DEMO = ROOT / "demo" / "model"


@pytest.fixture
def hub(monkeypatch):
    """One whose Kandinsky 2.1 is the demo model."""
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with FakeHub() as server:
        for ending in ("", "-prior"):
            server.add_folder(
                f"kandinsky-community/kandinsky-2-1{ending}", DEMO / f"kandinsky-demo{ending}"
            )
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def until_done(refresh):
    end = time.monotonic() + 60
    while "kandinsky-running" in (seen := refresh())[0]:
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


def text_of(shown):
    return html.unescape(re.sub("<[^>]*>", "", shown))


def test_a_model_is_downloaded_where_no_engine_is(bare_host, hub):
    page, _ = draw(bare_host)
    assert hub.requests == []
    status, table = clicked(page, "_get_download")("2.1")
    assert "kandinsky-running" in status
    status, table = until_done(clicked(page, "_get_refresh"))
    folder = bare_host.models / "Kandinsky"
    assert f"2.1 is downloaded to {folder}" in text_of(status)
    words = [word for word in re.split("<[^>]*>", table.split("</tr>")[1]) if word]
    assert words[:4] == [
        *("2.1", "Kandinsky 2.1"),
        *(f"{folder}/kandinsky-2-1", f"{folder}/kandinsky-2-1-prior"),
    ]
    assert words[-1] == "yes"
    assert (folder / "kandinsky-2-1-prior" / "model_index.json").is_file()


def test_pause_go_on_and_cancel(bare_host, hub):
    page, _ = draw(bare_host)
    told = bare_host.ext("downloads").downloads.told
    assert told() is None
    press = {name: clicked(page, f"_get_{name}") for name in ("pause", "cancel", "refresh")}
    weights = "kandinsky-community/kandinsky-2-1/unet/diffusion_pytorch_model.safetensors"
    hub.twists[f"GET {weights}"] = ["slow"] * 2
    start = clicked(page, "_get_download")
    start("2.1")
    while " MB, " not in press["refresh"]()[0]:
        time.sleep(0.02)
    assert "wait, or pause it" in start("2.2")[0]
    assert "wait, or pause it" in press["refresh"]()[0]
    press["pause"]()
    status, table = until_done(press["refresh"])
    assert "2.1 is paused. Download resumes it." in text_of(status)
    assert (told()["model"], told()["state"]) == ("2.1", "paused")
    assert 0 < told()["done"] < told()["total"]
    assert "partly: " in text_of(table)
    start("2.1")
    with ThreadPoolExecutor(2) as pool:
        told_twice = [pool.submit(press["cancel"]) for _ in range(2)]
    assert any("2.1 is cancelled" in text_of(one.result()[0]) for one in told_twice)
    status, table = press["cancel"]()
    assert "2.1 is cancelled" in text_of(status)
    assert told() is None
    assert list(bare_host.models.rglob("*.part")) == []


def test_what_went_wrong_is_said_and_escaped(bare_host, hub, monkeypatch):
    page, _ = draw(bare_host)
    start = clicked(page, "_get_download")
    assert "choose a model" in start("<b>")[0]
    assert "<b>" not in start("<b>")[0]
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    assert "http://mirror.example is not allowed" in text_of(start("2.1")[0])
    seen = text_of(clicked(page, "_get_refresh")()[0])
    assert "http://mirror.example is not allowed" in seen, "the page refreshes each second"
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    hub.files.clear()
    start("2.1")
    status, _ = until_done(clicked(page, "_get_refresh"))
    assert "answers 404" in text_of(status)
    assert "Press Download to try again." in text_of(status)


def test_a_page_that_others_see_starts_and_stops_no_download(bare_host, hub, monkeypatch):
    asked = []
    for name in ("start", "pause", "cancel"):
        kind = bare_host.ext("downloads").Downloads
        monkeypatch.setattr(kind, name, lambda *_, name=name: asked.append(name) or "")
    bare_host.shared.cmd_opts.disable_extension_access = True
    page, _ = draw(bare_host)
    names = ("download", "pause", "cancel", "refresh")
    assert [find(page, f"_get_{name}").interactive for name in names] == [False] * 3 + [True]
    said = f'python bindings/kandinsky_engine/get 2.1 --to "{bare_host.models}/Kandinsky"'
    assert text_of(find(page, "_get_status").value).endswith(said)
    for name in names:
        status, _ = clicked(page, f"_get_{name}")(*["2.1"] * (name == "download"))
        assert text_of(status).endswith(said)
    assert asked == hub.requests == []


def test_a_download_outlives_a_reload_of_the_page(bare_host, hub):
    page, _ = draw(bare_host)
    clicked(page, "_get_download")("2.1")
    page, _ = draw(bare_host)
    status, _ = until_done(clicked(page, "_get_refresh"))
    assert "2.1 is downloaded to" in text_of(status)


def test_drawing_contacts_nobody(host, hub):
    for _ in range(3):
        draw(host)
    host.txt2img(prompt="x")
    assert hub.requests == []


class TestDemoModel:
    @pytest.fixture
    def demo(self, host, monkeypatch, tmp_path):
        folder = tmp_path / "demo"
        make_model(folder / "kandinsky-demo")
        monkeypatch.setattr(host.ext("host.tools"), "DEMO_FOLDER", folder)
        shutil.rmtree(host.models / "Kandinsky")
        return host

    def test_it_stands_in_and_says_so(self, demo):
        demo.txt2img(prompt="x")
        (line,) = [text for text in demo.p.comments if "demo" in text]
        assert line.startswith("There is no Kandinsky model yet, so the small demo model")
        assert "kandinsky-demo is best at 128 x 128 with CFG scale 2" in line
        page, _ = draw(demo)
        offered = find(page, "_offer_text").value
        assert "the small demo model is used" in offered
        assert 'data-size="128" data-cfg="2"' in offered
        assert find(page, "_offer").visible

    @pytest.mark.parametrize("button", ["kandinsky_model_refresh", "kandinsky_status_refresh"])
    def test_a_model_that_has_come_is_offered_instead(self, demo, button):
        page, _ = draw(demo)
        refreshed, before = clicked(page, button, outputs=4), ["kandinsky-demo"]
        assert refreshed("Automatic", before)[:3] == (gr.update(), gr.update(), before)
        (state,) = [block for block in page.blocks.values() if isinstance(block, gr.State)]
        assert state.value == before
        make_model(demo.models / "Kandinsky" / "kandinsky-2-1")
        row, line, after, hint = refreshed("Automatic", before)
        assert row["visible"]
        assert 'data-size="768" data-cfg="4"' in line
        assert "demo" not in line
        assert hint == gr.update()
        assert refreshed("Automatic", after)[0] == gr.update(), "what was set stays away"
        make_model(demo.models / "Kandinsky" / "a-depth", role="hint")
        assert refreshed("a-depth", after)[3]["visible"]

    def test_chosen_by_name_it_stands_in_for_nothing(self, demo):
        demo.txt2img(prompt="x", args=demo.settings(model="kandinsky-demo"))
        assert not any("demo" in text for text in demo.p.comments)

    def test_beside_a_model_it_does_not(self, demo):
        make_model(demo.models / "Kandinsky" / "real")
        demo.txt2img(prompt="x")
        assert not any("demo" in text for text in demo.p.comments)
        page, _ = draw(demo)
        assert "real" in find(page, "kandinsky_status").value
        assert not find(page, "_offer").visible


class TestOffers:
    def offer(self, host, name, offered=()):
        tools = host.ext("host.tools")
        return host.ext("offers").offer(name, list(offered), tools.model_roots())

    def test_a_known_model(self, host):
        make_model(host.models / "Kandinsky" / "kandinsky-2-1")
        line, after = self.offer(host, "kandinsky-2-1")
        assert re.sub("<[^>]*>", "", line).strip() == (
            "kandinsky-2-1: Trained on images of 768 x 768. Recommended CFG scale: 4."
        )
        assert 'data-size="768" data-cfg="4"' in line
        assert after == ["kandinsky-2-1"]

    def test_one_that_the_engine_reads(self, host):
        assert 'data-size="128" data-cfg="4"' in self.offer(host, "toy")[0]

    def test_a_name_is_text(self, host):
        make_model(host.models / "Kandinsky" / "<b>&")
        assert "<b>&lt;b&gt;&amp;</b>:" in self.offer(host, "<b>&")[0]

    def test_only_once(self, host):
        assert self.offer(host, "toy", ["toy"]) == ("", ["toy"])

    def test_none_for_what_is_not_there_or_broken(self, host, monkeypatch):
        assert self.offer(host, "gone") == ("", [])

        def broken(path):
            raise host.engine.NotFoundError(path)

        monkeypatch.setattr(host.engine, "describe_folder", broken)
        assert self.offer(host, "toy") == ("", [])

    def test_choosing_shows_it_and_pressing_hides_it(self, host):
        page, components = draw(host)
        chosen = next(
            page.fns[i].fn
            for i, dependency in enumerate(page.dependencies)
            if components[2]._id in dependency["targets"] and len(dependency["outputs"]) == 3
        )
        row, line, after = chosen("toy", [])
        assert row["visible"]
        assert "128 x 128" in line
        assert after == ["toy"]
        assert not chosen("toy", after)[0]["visible"]
        assert not clicked(page, "_offer_set")()["visible"]
