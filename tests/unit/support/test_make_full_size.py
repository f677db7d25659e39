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
    tiny = {
        "2.1": module.Family(
            "tiny-2-1", "tiny-2-1-prior", "tiny-2-1-inpaint", ("text_encoder", "movq")
        ),
        "2.2": module.Family(
            "tiny-2-2-decoder",
            "tiny-2-2-prior",
            "tiny-2-2-decoder-inpaint",
            ("movq",),
            "tiny-2-2-controlnet-depth",
        ),
    }
    monkeypatch.setattr(module, "FAMILIES", tiny)
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
        ("kandinsky-2-2-decoder/unet", 1_253_057_288),
        ("kandinsky-2-2-decoder/movq", 67_832_495),
        ("kandinsky-2-2-prior/prior", 1_026_225_920),
        ("kandinsky-2-2-prior/text_encoder", 694_659_840),
        ("kandinsky-2-2-prior/image_encoder", 1_844_907_264),
        ("kandinsky-2-2-decoder-inpaint/unet", 1_253_074_568),
        ("kandinsky-2-2-controlnet-depth/unet", 1_253_429_212),
    ],
)
def test_the_lists_are_of_full_size(component: str, parameters: int) -> None:
    tensors = tiny_model.tensor_list(*component.split("/"))
    assert sum(math.prod(shape) for _, shape in tensors) == parameters


def test_folders_hold_fp16_weights_of_the_right_size_and_spread(
    maker: ModuleType, tmp_path: Path
) -> None:
    assert maker.main([str(tmp_path)]) == 0
    for model in ("tiny-2-1", "tiny-2-1-prior"):
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
    family = maker.FAMILIES["2.1"]
    maker.make_full_size(tmp_path / "a", family)
    maker.make_full_size(tmp_path / "b", family)
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
    maker.make_full_size(tmp_path / "a", family)
    assert whole.stat().st_ino == written[whole]
    assert {file: file.read_bytes() for file in files} == good
    assert not list((tmp_path / "a").rglob("*.partial"))


@pytest.mark.parametrize(
    ("family", "options", "decoder", "others"),
    [
        ("2.1", ["--inpaint"], "tiny-2-1", {"tiny-2-1-inpaint": 9}),
        (
            "2.2",
            ["--inpaint", "--depth"],
            "tiny-2-2-decoder",
            {"tiny-2-2-decoder-inpaint": 9, "tiny-2-2-controlnet-depth": 8},
        ),
    ],
)
def test_other_decoders_link_what_they_share(
    maker: ModuleType,
    tmp_path: Path,
    family: str,
    options: list[str],
    decoder: str,
    others: dict[str, int],
) -> None:
    assert maker.main([str(tmp_path), "--family", family, *options]) == 0
    assert len(list(tmp_path.iterdir())) == 2 + len(others)
    for other, channels in others.items():
        for component in maker.FAMILIES[family].shared:
            one = maker.WeightFile(tmp_path, decoder, component).path
            assert one.samefile(tmp_path / other / component / one.name)
        unet = load_file(maker.WeightFile(tmp_path, other, "unet").path)
        assert unet["conv_in.weight"].shape[1] == channels


def test_depth_maps_are_of_one_family_only(
    maker: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert maker.main([str(tmp_path), "--depth"]) == 1
    assert "--depth: the family has no" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


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
