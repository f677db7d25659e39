"""LoRA files that prompts name, as the hosts' users write it."""

import json
import os

import pytest
from PIL import Image


def lora(folder, name="ink.safetensors", content=b"matrices", **metadata):
    """A file with a safetensors header before its content."""
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"__metadata__": metadata}).encode()
    (folder / name).write_bytes(len(header).to_bytes(8, "little") + header + content)
    return folder / name


@pytest.fixture
def ink(host):
    return lora(host.models / "Lora")


def merged(host):
    return [call["loras"] for call in host.called("set_loras")]


@pytest.mark.parametrize(
    ("tag", "weight"),
    [
        *(("<lora:ink>", 1.0), ("<lora:ink:0.8>", 0.8), ("<lyco:ink:-1>", -1.0)),
        *(("<lora:ink:0.8:0.5>", 0.5), ("<lora:ink:te=0.8>", 0.8), ("<lora:ink:2:unet=0.5>", 0.5)),
        ("<lora:ink:0.8:0.8:32>", 0.8),
    ],
)
def test_a_tag_merges_the_file_and_is_taken_out_of_the_prompt(host, ink, tag, weight):
    processed = host.txt2img(prompt=f"a circle{tag}", batch_size=2)
    assert host.called("encode_prompts")[0]["prompts"] == ["a circle"] * 2
    assert merged(host) == [[f"{ink}:{weight}"]]
    assert ("one weight" in processed.comments) is (tag.count(":") == 3 and "0.8:0.8" not in tag)


def test_metadata_keep_the_tag_and_name_what_it_stood_for(host, ink):
    plain = host.txt2img(prompt="x")
    first = host.txt2img(prompt="x<lora:ink:0.8>")
    assert first.images[0].tobytes() != plain.images[0].tobytes()
    params, values = host.paste(host.script, first.infotexts[0])
    assert params["Prompt"] == "x<lora:ink:0.8>"
    assert params["Kandinsky loras"].startswith("ink.safetensors [")
    again = host.txt2img(prompt=params["Prompt"], args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert again.infotexts == first.infotexts
    assert "loras" not in host.txt2img(prompt="x").infotexts[0]


def test_a_dictionary_shared_with_an_earlier_run_keeps_nothing(host, ink):
    shared = {}
    host.txt2img(prompt="<lora:ink:1>", extra_generation_params=shared)
    host.shared.state.interrupted = False
    assert "loras" not in host.txt2img(extra_generation_params=shared).infotexts[0]


def test_the_same_set_is_not_merged_again_and_no_tag_takes_it_out(host, ink):
    other = lora(host.models / "Lora", "other.safetensors")
    host.txt2img(prompt="<lora:ink:1><lora:other:0.5>", n_iter=2)
    host.txt2img(prompt="<lora:other:0.5> y <lora:ink:1.0>")
    both = [f"{ink}:1.0", f"{other}:0.5"]
    assert merged(host) == [both]
    host.txt2img(prompt="y")
    host.txt2img(prompt="y")
    assert merged(host) == [both, []]
    assert len(host.called("open")) == 1


def test_what_was_encoded_without_it_is_encoded_again(host, ink):
    for prompt in ("x", "x<lora:ink:1>", "x<lora:ink:1>"):
        host.txt2img(prompt=prompt)
    assert len(host.called("prior")) == 2


def test_a_file_that_was_written_again_is_read_again(host, ink):
    host.txt2img(prompt="x<lora:ink:1>")
    lora(ink.parent, content=b"others")
    os.utime(ink, ns=(1, ink.stat().st_mtime_ns + 10**9))
    host.txt2img(prompt="x<lora:ink:1>")
    assert merged(host) == [[f"{ink}:1.0"]] * 2


def test_a_file_is_found_by_its_name_in_any_folder_or_by_its_trainers_name(host):
    folder = host.models / "Lora"
    inside = lora(folder / "styles" / "b", "ink.pt")
    named = lora(folder, "v3.safetensors", ss_output_name="crayon")
    for tag, file in (("ink", inside), ("crayon", named), ("v3", named)):
        host.txt2img(prompt=f"<lora:{tag}:1>")
        assert merged(host)[-1] == [f"{file}:1.0"]


def test_a_name_counts_before_a_trainers_name(host, ink):
    lora(ink.parent, "other.safetensors", ss_output_name="ink")
    host.txt2img(prompt="<lora:ink:1>")
    assert merged(host) == [[f"{ink}:1.0"]]


def test_folders(host, tmp_path):
    """The host's by its own flags, and ours, whose files win."""
    flags = host.shared.cmd_opts
    flags.lora_dir, flags.lora_dirs = str(tmp_path / "a"), [str(tmp_path / "b")]
    flags.lyco_dir_backcompat, flags.kandinsky_dir = str(tmp_path / "c"), str(tmp_path / "d")
    places = [tmp_path / name for name in "abc"]
    places += [host.models / "Kandinsky" / "lora", tmp_path / "d" / "lora"]
    assert host.ext("host.networks").folders() == places
    for place in places:
        file = lora(place)
        host.txt2img(prompt="<lora:ink:1>")
        assert merged(host)[-1] == [f"{file}:1.0"]


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x08" + b"\0" * 7 + b"not json", b"[]"])
def test_files_that_have_no_header_have_no_alias(host, content):
    folder = host.models / "Lora"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_bytes(content)
    assert "Lora not found: ink\n" in host.txt2img(prompt="<lora:ink:1>").comments


def test_an_unknown_name_is_told_in_the_hosts_words(host, ink):
    processed = host.txt2img(prompt="x<lora:gone:1><lora:ink:1><lora:away:1>")
    assert processed.comments == "Lora not found: gone, away\n"
    assert merged(host) == [[f"{ink}:1.0"]]


def test_a_weight_that_is_no_number_is_refused(host, ink):
    with pytest.raises(host.ext("errors").UserError, match='"<lora:ink:strong>" has a weight'):
        host.txt2img(prompt="x<lora:ink:strong>")


def test_one_for_another_model_is_refused_by_name_and_leaves_the_rest(host, ink):
    bad = lora(ink.parent, "sd.safetensors", content=b"another model")
    host.txt2img(prompt="x<lora:ink:1>")
    with pytest.raises(host.ext("errors").UserError, match=f"Lora: {bad}: a LoRA of another"):
        host.txt2img(prompt="x<lora:sd:1>")
    host.txt2img(prompt="x<lora:ink:1>")
    assert merged(host) == [[f"{ink}:1.0"], [f"{bad}:1.0"]]


def test_a_hires_pass_has_those_of_its_own_prompt(host, ink):
    same = host.txt2img(prompt="x<lora:ink:1>", enable_hr=True)
    assert "hires loras" not in same.infotexts[0]
    assert merged(host) == [[f"{ink}:1.0"]]
    processed = host.txt2img(prompt="x<lora:ink:1>", enable_hr=True, hr_prompt="y<lora:ink:0.5>")
    assert merged(host)[1:] == [[f"{ink}:0.5"]]
    assert host.called("encode_prompts")[-1]["prompts"] == ["y"]
    assert 'Kandinsky hires loras: "ink.safetensors [' in processed.infotexts[0]


def test_img2img_merges_them_too(host, ink):
    host.img2img(Image.new("RGB", (64, 64)), prompt="x<lora:ink:1>")
    assert merged(host) == [[f"{ink}:1.0"]]


def test_the_status_names_them(host, ink):
    host.txt2img(prompt="x<lora:ink:0.8>")
    line = host.ext("status").line(host.ext("host.tools"))
    assert "<span><span>Lora</span>: ink.safetensors [" in line


def test_a_lora_of_the_settings_page_is_the_hosts_own(host):
    host.shared.opts.add_option("sd_lora", host.shared.OptionInfo("None", "Add network to prompt"))
    host.shared.opts.sd_lora = "ink"
    assert "ignores Add network to prompt" in host.txt2img(prompt="x").comments
