"""A mean of two models' weights."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
blending = pytest.importorskip("blend")
safetensors = pytest.importorskip("safetensors.torch")


def write(path: Path, **tensors: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.save_file(tensors, path)
    return path


def test_a_mean_has_the_share_and_type_of_the_second(tmp_path: Path) -> None:
    first = write(tmp_path / "a", w=torch.tensor([0.0, 8.0]).half())
    second = write(tmp_path / "b", w=torch.tensor([4.0, 0.0]).half())
    blending.blend(first, second, tmp_path / "c", 0.75)
    mean = safetensors.load_file(tmp_path / "c")["w"]
    assert mean.dtype == torch.float16
    assert mean.tolist() == [3.0, 2.0]


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", w=torch.ones(1)), write(tmp_path / "b", v=torch.ones(1))
    with pytest.raises(ValueError, match="same tensors"):
        blending.blend(first, second, tmp_path / "c", 0.5)


def test_models_are_blended_part_by_part(tmp_path: Path) -> None:
    for model, value in (("a", 0.0), ("b", 1.0)):
        for path in (blending.UNET, blending.INPAINT_UNET, *blending.TEXT_ENCODERS):
            write(tmp_path / model / path, w=torch.full((1,), value))
        (tmp_path / model / "other").write_text(model)
    blending.blend_models(tmp_path / "a", tmp_path / "b", tmp_path / "c", 0.75, 0.5)
    shares = {
        path: safetensors.load_file(tmp_path / "c" / path)["w"].item()
        for path in (blending.UNET, blending.INPAINT_UNET, *blending.TEXT_ENCODERS)
    }
    assert shares == {
        blending.UNET: 0.75,
        blending.INPAINT_UNET: 0.5,
        **dict.fromkeys(blending.TEXT_ENCODERS, 0.75),
    }
    assert (tmp_path / "c/other").read_text() == "b"
