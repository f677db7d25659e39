"""The hash of a model's weights, and what an image's parameters do with it."""

from __future__ import annotations

import os
import shutil
import warnings

import numpy as np
import pytest

NAME = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hashes(bare_host):
    return bare_host.ext("model_hash")


def add_weights(folder, seed=1, name=NAME, size=3 << 20):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(np.random.default_rng(seed).bytes(size))
    return file


def test_it_is_ten_digits_and_does_not_depend_on_the_folder(hashes, tmp_path):
    add_weights(tmp_path / "a")
    first = hashes.of(tmp_path / "a")
    assert len(first) == 10
    assert int(first, 16) >= 0
    (tmp_path / "a").rename(tmp_path / "b")
    assert hashes.of(tmp_path / "b") == first
    (tmp_path / "b" / "README.md").write_text("new")
    assert hashes.of(tmp_path / "b") == first


@pytest.mark.parametrize("at", [0, (3 << 20) - 1, (3 << 20) // 15 * 7])
def test_other_weights_have_another(hashes, tmp_path, at):
    file = add_weights(tmp_path)
    first = hashes.of(tmp_path)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(1, 1))
    assert hashes.of(tmp_path) != first


def test_another_component_or_size_has_another(hashes, tmp_path):
    add_weights(tmp_path)
    found = {hashes.of(tmp_path)}
    add_weights(tmp_path, name="movq/diffusion_pytorch_model.safetensors")
    found.add(hashes.of(tmp_path))
    add_weights(tmp_path, size=5)
    found.add(hashes.of(tmp_path))
    assert len(found) == 3


def test_a_variant_counts_only_where_there_is_nothing_else(hashes, tmp_path):
    add_weights(tmp_path)
    first = hashes.of(tmp_path)
    add_weights(tmp_path, name="unet/diffusion_pytorch_model.fp16.safetensors")
    assert hashes.of(tmp_path) == first
    (tmp_path / NAME).unlink()
    assert hashes.of(tmp_path) not in (first, None)


def test_pytorchs_own_files_count_where_there_is_nothing_else(hashes, tmp_path):
    """As for the engine."""
    add_weights(tmp_path / "model", name="unet/diffusion_pytorch_model.bin")
    first = hashes.of(tmp_path / "model")
    assert first is not None
    add_weights(tmp_path / "model", seed=2, name="unet/diffusion_pytorch_model.bin")
    assert hashes.of(tmp_path / "model") not in (first, None)
    add_weights(tmp_path / "model", name="unet/diffusion_pytorch_model.safetensors")
    both = hashes.of(tmp_path / "model")
    add_weights(tmp_path / "model", seed=3, name="unet/diffusion_pytorch_model.bin")
    assert hashes.of(tmp_path / "model") == both


def test_a_model_without_weights_has_none(hashes, tmp_path):
    assert hashes.of(tmp_path) is None
    assert hashes.of(tmp_path / "gone") is None


def test_a_large_file_is_read_in_pieces_and_once(hashes, tmp_path, monkeypatch):
    file = add_weights(tmp_path, size=5)
    with file.open("r+b") as opened:
        opened.truncate(7 << 30)
    read = []
    kind = type(file)
    opening = kind.open

    def watched(self, *args, **kwargs):
        read.append(self)
        return opening(self, *args, **kwargs)

    monkeypatch.setattr(kind, "open", watched)
    first = hashes.of(tmp_path)
    assert hashes.of(tmp_path) == first
    assert read == [file]


def pasted(host, text):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        params, values = host.paste(host.script, text)
    notes = [str(one.message) for one in caught if "other weights" in str(one.message)]
    return params, values[2], notes


def test_an_image_names_the_hash(host):
    add_weights(host.toy)
    text = host.txt2img().infotexts[0]
    expected = host.ext("model_hash").of(host.toy)
    assert f"Kandinsky model hash: {expected}" in text
    params, model, notes = pasted(host, text)
    assert params["Kandinsky model hash"] == expected
    assert (model, notes) == ("toy", [])


def test_a_renamed_folder_is_found_by_its_hash(host):
    add_weights(host.toy)
    add_weights(shutil.copytree(host.toy, host.toy.parent / "another"), seed=2)
    first = host.txt2img(args=host.settings(model="toy"))
    host.toy.rename(host.toy.parent / "renamed")
    _, model, notes = pasted(host, first.infotexts[0])
    assert (model, notes) == ("renamed", [])
    again = host.generate_pasted(first.infotexts[0])
    assert again.images[0].tobytes() == first.images[0].tobytes()


def test_other_weights_under_the_name_are_noted(host):
    add_weights(host.toy)
    text = host.txt2img().infotexts[0]
    before = host.ext("model_hash").of(host.toy)
    add_weights(host.toy, seed=2)
    _, model, notes = pasted(host, text)
    assert model == "toy"
    after = host.ext("model_hash").of(host.toy)
    assert len(notes) == 1
    assert before != after
    assert f"Their hash is {before}, and that of the model here is {after}" in notes[0]


def test_a_model_that_is_nowhere_stays_named(host):
    add_weights(host.toy)
    text = host.txt2img().infotexts[0].replace("Kandinsky model: toy", "Kandinsky model: gone")
    add_weights(host.toy, seed=2)
    assert pasted(host, text)[1:] == ("gone", [])


def test_images_without_a_hash_are_pasted_as_before(host):
    text = host.txt2img().infotexts[0]
    assert "model hash" not in text
    add_weights(host.toy)
    assert pasted(host, text)[1:] == ("toy", [])
