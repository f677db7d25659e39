"""The maker of full-size folders, on the lists of the tiny models, and its own lists."""

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import tiny_model
from safetensors.numpy import load_file


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, set to the tiny models and a block that some of their tensors do not fit."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "tools")
    module = __import__("make_full_size")
    monkeypatch.setattr(module, "MODELS", ("tiny-2-1", "tiny-2-1-prior"))
    monkeypatch.setattr(module, "INPAINT", "tiny-2-1-inpaint")
    monkeypatch.setattr(module, "BLOCK", 10_007)
    yield module
    sys.modules.pop("make_full_size", None)


@pytest.mark.parametrize(
    ("component", "parameters"),
    [
        ("kandinsky-2-1/unet", 1_228_661_768),
        ("kandinsky-2-1/movq", 67_832_495),
        ("kandinsky-2-1/text_encoder", 560_677_632),
        ("kandinsky-2-1-prior/prior", 1_022_030_080),
        ("kandinsky-2-1-prior/text_encoder", 123_650_304),
        ("kandinsky-2-1-prior/image_encoder", 303_966_208),
        ("kandinsky-2-1-inpaint/unet", 1_228_679_048),
    ],
)
def test_the_lists_are_of_full_size(component: str, parameters: int) -> None:
    tensors = tiny_model.tensor_list(*component.split("/"))
    assert sum(math.prod(shape) for _, shape in tensors) == parameters


def test_folders_hold_fp16_weights_of_the_right_size_and_spread(
    maker: ModuleType, tmp_path: Path
) -> None:
    assert maker.main([str(tmp_path)]) == 0
    for model in maker.MODELS:
        assert (tmp_path / model / "model_index.json").is_file()
        assert (tmp_path / model / "tokenizer/tokenizer_config.json").is_file()
        for component in tiny_model.components(model):
            path = maker.WeightFile(tmp_path, model, component).path
            tensors = load_file(path)
            assert {name: values.shape for name, values in tensors.items()} == dict(
                tiny_model.tensor_list(model, component)
            )
            assert {values.dtype for values in tensors.values()} == {np.dtype("float16")}
    unet = load_file(maker.WeightFile(tmp_path, "tiny-2-1", "unet").path)
    weight = unet["up_blocks.0.resnets.0.conv1.weight"].astype(np.float32)
    assert weight.size > maker.BLOCK
    assert weight.std() * math.sqrt(math.prod(weight.shape[1:])) == pytest.approx(1, abs=0.05)
    assert not np.array_equal(weight[0], weight[1])


def test_the_same_bytes_every_time_and_nothing_written_twice(
    maker: ModuleType, tmp_path: Path
) -> None:
    maker.make_full_size(tmp_path / "a")
    maker.make_full_size(tmp_path / "b")
    files = sorted((tmp_path / "a").rglob("*.safetensors"))
    assert len(files) == 6
    for file in files:
        again = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert file.read_bytes() == again.read_bytes()
    whole, cut, old = files[0], files[1], files[2]
    written = {file: file.stat().st_ino for file in files}
    good = {file: file.read_bytes() for file in files}
    cut.write_bytes(good[cut][:-2])
    old.write_bytes(good[old].replace(maker.MADE_BY.encode(), b"another recipe".ljust(21)))
    maker.make_full_size(tmp_path / "a")
    assert whole.stat().st_ino == written[whole]
    assert {file: file.read_bytes() for file in files} == good
    assert not list((tmp_path / "a").rglob("*.partial"))


def test_the_inpainting_folder_links_what_it_shares(maker: ModuleType, tmp_path: Path) -> None:
    maker.make_full_size(tmp_path, inpaint=True)
    for component in ("movq", "text_encoder"):
        one, other = (
            maker.WeightFile(tmp_path, model, component).path
            for model in ("tiny-2-1", "tiny-2-1-inpaint")
        )
        assert one.samefile(other)
    unet = load_file(maker.WeightFile(tmp_path, "tiny-2-1-inpaint", "unet").path)
    assert unet["conv_in.weight"].shape[1] == 9


def test_a_full_disk_is_told_before_anything_is_written(
    maker: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(maker.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert maker.main([str(tmp_path)]) == 1
    assert "GB are free" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.safetensors"))
