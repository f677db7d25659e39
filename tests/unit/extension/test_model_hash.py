"""The hash of a model's weights, and what an image's parameters do with it."""

from __future__ import annotations

import os
import shutil
import warnings

import numpy as np

NAME = "unet/diffusion_pytorch_model.safetensors"


def add_weights(folder, seed=1):
    file = folder / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(np.random.default_rng(seed).bytes(1000))
    return file


def test_it_begins_as_the_engines_digest(host):
    add_weights(host.toy)
    digest = host.ext("engine").load_package().folder_digest(str(host.toy))
    assert host.ext("model_hash").of(host.toy) == digest[:10]


def test_a_model_without_weights_has_none(host, tmp_path):
    assert host.ext("model_hash").of(host.toy) is None
    assert host.ext("model_hash").of(tmp_path / "gone") is None


def test_without_an_engine_there_is_none(bare_host, tmp_path):
    add_weights(tmp_path)
    assert bare_host.ext("model_hash").of(tmp_path) is None


def test_the_engine_reads_files_once_until_they_change(host, monkeypatch):
    file = add_weights(host.toy)
    package = host.ext("engine").load_package()
    digest = package.folder_digest
    asked = []
    monkeypatch.setattr(package, "folder_digest", lambda path: asked.append(path) or digest(path))
    hashes = host.ext("model_hash")
    first = hashes.of(host.toy)
    assert hashes.of(host.toy) == first
    assert len(asked) == 1
    add_weights(host.toy, seed=2)
    os.utime(file, ns=(1, 1))
    assert hashes.of(host.toy) != first
    assert len(asked) == 2


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
    assert f"Their hash is {before}, the hash of the model here is {after}" in notes[0]


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
