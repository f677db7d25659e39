"""Parts of the model that are taken from elsewhere."""

import re

import pytest
from support.unreadable import forbid

from .conftest import make_model
from .test_ui import draw, find


@pytest.fixture
def add(host):
    def add(name, content="weights", root=None):
        path = (root or host.models / "Kandinsky") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return add


def opened(host):
    return [call.get("unet") for call in host.called("open")]


def test_a_file_takes_the_place_of_the_models_own(host, add):
    file = add("unet/mine.ckpt")
    host.txt2img(prompt="x")
    processed = host.txt2img(prompt="x", args=host.settings(unet="mine.ckpt"))
    assert opened(host) == [None, str(file)]
    assert re.search(r"Kandinsky unet: mine\.ckpt \[[0-9a-f]{8}\]", processed.infotexts[0])
    line = host.ext("status").line(host.ext("host.tools"))
    assert "<span><span>UNet</span>: mine.ckpt [" in line


@pytest.mark.parametrize("option", ["unet", "movq", "prior_model", "prior_text_encoder"])
def test_pasting_brings_it_back(host, add, option):
    add(f"{host.ext('components').FOLDERS[option]}/a, b [1].safetensors")
    given = host.settings(**{option: "a, b [1].safetensors"})
    first = host.txt2img(prompt="x", args=given)
    _, values = host.paste(host.script, first.infotexts[0])
    assert values == host.settings(
        model="toy", precision="fp32", **{option: "a, b [1].safetensors"}
    )
    again = host.txt2img(prompt="x", args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert len(host.called("open")) == 1
    _, values = host.paste(host.script, host.txt2img(prompt="x").infotexts[0], args=values)
    assert values == host.settings(model="toy", precision="fp32")


def test_a_name_with_its_mark_is_taken_from_programs(host, add):
    file = add("unet/mine.ckpt")
    host.txt2img(prompt="x", args=host.settings(unet="mine.ckpt [01234567]"))
    assert opened(host) == [str(file)]


def test_what_is_listed(host, add, tmp_path):
    """Files of weights and folders with a config, of ours first; a model's own weights not."""
    first = tmp_path / "first"
    host.shared.cmd_opts.kandinsky_dir = str(first)
    host.shared.opts.kandinsky_folders = str(make_model(tmp_path / "model"))
    for name in ("b.safetensors", "A.CKPT", "c.bin", "notes.txt", "tuned/config.json", "no/x.bin"):
        add(f"unet/{name}", root=first)
    add("unet/b.safetensors")
    add("unet/d.pt")
    add("unet/diffusion_pytorch_model.safetensors", root=tmp_path / "model")
    components, tools = host.ext("components"), host.ext("host.tools")
    found = components.find("unet", tools.own_roots())
    assert list(found) == ["A.CKPT", "b.safetensors", "c.bin", "tuned", "d.pt"]
    assert found["b.safetensors"].parent == first / "unet"
    page, _ = draw(host)
    shown = find(page, "_unet").choices
    shown = [choice[0] if isinstance(choice, tuple) else choice for choice in shown]
    assert shown == ["The model's own", *found]
    assert find(page, "_unet_refresh").elem_id == "script_txt2img_kandinsky_unet_refresh"


def test_one_run_may_have_more_folders(host, add, tmp_path):
    file = add("unet/mine.ckpt", root=tmp_path / "more")
    make_model(tmp_path / "more" / "other")
    host.txt2img(
        args=host.settings(model="other", unet="mine.ckpt"),
        override_settings={"kandinsky_folders": str(tmp_path / "more")},
    )
    assert opened(host) == [str(file)]


def test_what_nobody_may_look_into_hides_nothing_else(host, add, monkeypatch, tmp_path):
    file, theirs = add("unet/mine.ckpt"), tmp_path / "theirs"
    add("unet/lost+found/config.json")
    add("unet/mine.ckpt", root=theirs)
    forbid(monkeypatch, file.parent / "lost+found", theirs)
    found = host.ext("components").find("unet", [theirs, host.models / "Kandinsky"])
    assert found == {"mine.ckpt": file}
    assert host.ext("models").places([theirs]) == (str(theirs),)


@pytest.mark.parametrize("name", ["gone.ckpt", "../unet/mine.ckpt", "/mine.ckpt"])
def test_only_what_is_listed_is_accepted(host, add, name):
    add("unet/mine.ckpt")
    words = re.escape(f'"UNet" is {name!r}: expected The model\'s own, mine.ckpt. Looked in: ')
    with pytest.raises(host.ext("errors").UserError, match=words):
        host.txt2img(args=host.settings(unet=name))
    assert host.called("open") == []


def test_what_does_not_fit_is_said_with_the_controls_name(host, add):
    bad = add("movq/bad.ckpt", "another model")
    add("unet/mine.ckpt")
    with pytest.raises(host.ext("errors").UserError, match=f'"MoVQ": {bad}: weights of another'):
        host.txt2img(args=host.settings(movq="bad.ckpt", unet="mine.ckpt"))
    (host.toy / "broken").touch()
    with pytest.raises(host.engine.NotFoundError, match="the component unet is missing"):
        host.txt2img(args=host.settings(unet="mine.ckpt"))


def test_a_lora_is_merged_into_it(host, add):
    """Both are told."""
    add("unet/mine.ckpt")
    add("lora/ink.safetensors")
    args = host.settings(unet="mine.ckpt")
    text = host.txt2img(prompt="x<lora:ink:1>", args=args).infotexts[0]
    assert "Kandinsky unet: mine.ckpt [" in text
    assert 'Kandinsky loras: "ink.safetensors [' in text
