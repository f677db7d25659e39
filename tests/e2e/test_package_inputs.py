"""What people have is taken: the package gives the same images for it as for plain arrays."""

import copy
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.built import copy_models
from support.generation import FEW, SIZE

import kandinsky_engine as kandinsky
from kandinsky_engine import Embeds, Engine

TENSORS = ("image_embeds", "prompt_embeds", "text_encoder_hidden_states")


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    with Engine(model, precision="fp32") as engine:
        yield engine


def scene(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


class Interface:
    """Nothing but what numpy calls the array interface."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


# The same numbers in another form.
FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "reversed twice": lambda array: np.flip(np.flip(array, -1).copy(), -1),
    "upside down twice": lambda array: array[::-1].copy()[::-1],
    "every other one": lambda array: np.repeat(array, 2, -1)[..., ::2],
    "a part": lambda array: np.pad(array, 3)[tuple(slice(3, -3) for _ in array.shape)],
    "Fortran order": np.asfortranarray,
    "transposed": lambda array: array.T.copy().T,
    "read only": read_only,
    "a subclass": lambda array: array.view(np.recarray),
    "memoryview": memoryview,
    "array interface": Interface,
    "tensor": torch.from_numpy,
    "tensor of other strides": lambda array: (
        torch.from_numpy(array.T.copy()).T
        if array.ndim == 2
        else torch.from_numpy(np.moveaxis(array, -1, 0).copy()).movedim(0, -1)
    ),
}


@pytest.mark.parametrize("form", FORMS)
class TestForms:
    def test_of_images(self, engine: Engine, tmp_path: Path, form: str) -> None:
        image, mask = scene(40, 30, 3), scene(64, 64)
        batch = scene(1, 64, 64, 3)
        change = FORMS[form]

        def results(change: Callable[[np.ndarray], Any]) -> list[np.ndarray]:
            kandinsky.save_image(tmp_path / "a.png", change(image))
            return [
                kandinsky.load_image(tmp_path / "a.png"),
                engine.encode(change(batch)),
                engine.encode_images([change(mask), change(image)]).tensor("image_embeds"),
                engine.image_to_image(
                    ["a"], images=[change(batch[0])], masks=[change(mask)], seeds=[1],
                    **SIZE, **FEW,
                ),
            ]  # fmt: skip

        for plain, other in zip(results(lambda array: array), results(change), strict=True):
            assert np.array_equal(plain, other)

    def test_of_latents(self, engine: Engine, form: str) -> None:
        embeds, negative = engine.encode_prompts(["a"], seeds=[1], prior_num_inference_steps=2)
        numbers = np.random.default_rng(0).standard_normal((3, 1, 4, 8, 8)).astype(np.float32)
        noise, latents, mask = numbers[0], numbers[1], np.abs(numbers[2, :, :1]).clip(0, 1)
        change = FORMS[form]
        options: dict[str, Any] = {**SIZE, "seeds": [1], "num_inference_steps": 2}
        plain, other = (
            engine.denoise(
                embeds, negative, noise=of(noise), init_latents=of(latents), mask=of(mask),
                **options,
            )
            for of in (lambda array: array, change)
        )  # fmt: skip
        assert np.array_equal(plain, other)
        assert np.array_equal(
            engine.decode(latents, **SIZE), engine.decode(change(latents), **SIZE)
        )


class TestPillow:
    """Right is what Pillow's own convert() gives."""

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
    def test_every_mode_of_eight_bits(self, engine: Engine, mode: str) -> None:
        colours = Image.fromarray(scene(20, 30, 4))
        image = colours.convert("RGB").quantize(16) if mode in ("P", "PA") else colours
        image = image.convert(mode)
        array = np.asarray(image.convert("RGBA"))
        one, other = (engine.encode_images([value]) for value in (image, array))
        assert np.array_equal(one.tensor("image_embeds"), other.tensor("image_embeds"))

    def test_a_palettes_transparent_colour(self, engine: Engine) -> None:
        image = Image.fromarray(scene(20, 30, 3)).quantize(4)
        image.info["transparency"] = 1
        assert (np.asarray(image.convert("RGBA"))[..., 3] == 0).any()
        one, other = (
            engine.encode_images([value]) for value in (image, np.asarray(image.convert("RGBA")))
        )
        assert np.array_equal(one.tensor("image_embeds"), other.tensor("image_embeds"))

    def test_files(self, engine: Engine, tmp_path: Path) -> None:
        """Pillow reads them when it is asked for the pixels."""
        path = tmp_path / "a.png"
        kandinsky.save_image(path, Image.fromarray(scene(20, 30, 3)))
        with Image.open(path) as image:
            whole = engine.encode_images([image]).tensor("image_embeds")
        assert np.array_equal(
            whole, engine.encode_images([scene(20, 30, 3)]).tensor("image_embeds")
        )
        path.write_bytes(path.read_bytes()[:600])
        with (
            Image.open(path) as image,
            pytest.raises(kandinsky.InvalidArgumentError, match=r"images\[0\].*PngImageFile"),
        ):
            engine.encode_images([image])

    @pytest.mark.parametrize("mode", ["I", "I;16", "F"])
    def test_deep_ones_are_refused(self, engine: Engine, mode: str) -> None:
        image = Image.new(mode, (8, 8))
        with pytest.raises(kandinsky.InvalidArgumentError, match=f'mode "{mode}".*load_image'):
            engine.encode_images([image])


class TestMasks:
    def generate(self, engine: Engine, mask: Any) -> np.ndarray:
        return engine.image_to_image(
            ["a"], images=[scene(64, 64, 3)], masks=[mask], mask_blur=0, seeds=[1], **SIZE, **FEW
        )

    def test_true_is_white(self, engine: Engine) -> None:
        mask = np.zeros((64, 64), bool)
        mask[:, 32:] = True
        expected = self.generate(engine, mask * np.uint8(255))
        assert np.array_equal(self.generate(engine, mask), expected)
        assert np.array_equal(self.generate(engine, mask[::-1][..., None]), expected)
        assert np.array_equal(self.generate(engine, torch.from_numpy(mask)), expected)
        assert np.array_equal(self.generate(engine, Image.fromarray(mask)), expected)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
    def test_ones_are_refused(self, engine: Engine, dtype: type) -> None:
        """Nearly black, they would leave all as it is, without a word."""
        mask = np.zeros((64, 64), dtype)
        mask[:, 32:] = 1
        with pytest.raises(kandinsky.InvalidArgumentError, match=r"masks\[0\]: .*; .*array") as why:
            self.generate(engine, mask)
        assert ("white is 255" in str(why.value)) == (dtype == np.uint8)

    def test_all_black_is_a_mask(self, engine: Engine) -> None:
        assert np.array_equal(
            self.generate(engine, np.zeros((64, 64), np.uint8))[0], scene(64, 64, 3)
        )


class TestLists:
    @pytest.mark.parametrize(
        "seeds",
        [
            lambda: (seed for seed in (3, 4)),
            lambda: range(3, 5),
            lambda: (3, 4),
            lambda: np.array([3, 4]),
            lambda: np.array([3, 4], np.uint64),
            lambda: torch.tensor([3, 4]),
            lambda: map(int, "34"),
        ],
    )
    def test_of_seeds_and_prompts(self, engine: Engine, seeds: Callable[[], Any]) -> None:
        images = [scene(64, 64, 3), scene(64, 64)]
        options: dict[str, Any] = {**SIZE, **FEW}
        expected = engine.text_to_image(["a", "b"], ["c", ""], seeds=[3, 4], **options)
        got = engine.text_to_image(iter("ab"), (t for t in ("c", "")), seeds=seeds(), **options)
        assert np.array_equal(got, expected)
        expected = engine.image_to_image(["a", "b"], images=images, seeds=[3, 4], **options)
        got = engine.image_to_image(
            np.array(["a", "b"]), images=iter(images), seeds=seeds(), **options
        )
        assert np.array_equal(got, expected)

    def test_a_tensor_is_a_batch(self, engine: Engine) -> None:
        batch = scene(2, 20, 30, 3)
        one, other = (engine.encode_images(of) for of in (batch, torch.from_numpy(batch)))
        assert np.array_equal(one.tensor("image_embeds"), other.tensor("image_embeds"))


class TestPaths:
    ODD = b"caf\xe9 \xff"

    @pytest.mark.parametrize("form", [bytes, os.fsdecode, lambda path: Path(os.fsdecode(path))])
    def test_names_that_are_no_text(
        self, model: Path, tmp_path: Path, form: Callable[[bytes], Any]
    ) -> None:
        folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + self.ODD))
        folder.mkdir()
        copied = copy_models(model, folder)
        prior = shutil.move(f"{copied}-prior", folder / "other")
        path = form(os.fsencode(folder / "a.png"))
        kandinsky.save_image(path, scene(8, 8, 3), "text")
        assert np.array_equal(kandinsky.load_image(path), scene(8, 8, 3))
        assert kandinsky.describe_folder(form(os.fsencode(copied))).family
        with Engine(form(os.fsencode(copied)), form(os.fsencode(prior))) as engine:
            assert Path(engine.info.prior_dir) == Path(prior)
            embeds = engine.encode_images([scene(8, 8)])
        embeds.save(form(os.fsencode(folder / "a.safetensors")))
        again = Embeds.load(form(os.fsencode(folder / "a.safetensors")))
        assert np.array_equal(embeds.tensor("image_embeds"), again.tensor("image_embeds"))
        with pytest.raises(kandinsky.NotFoundError, match="none"):
            kandinsky.load_image(form(os.fsencode(folder / "none.png")))


class TestCopies:
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickled(self, engine: Engine, protocol: int) -> None:
        options: dict[str, Any] = {"seeds": [1, 2], "prior_num_inference_steps": 2}
        for embeds in engine.encode_prompts(["a", "b " * 100], long_prompts=True, **options):
            again = pickle.loads(pickle.dumps({"key": [embeds]}, protocol))["key"][0]
            assert isinstance(again, Embeds)
            assert again.batch_size == 2
            for name in TENSORS:
                assert np.array_equal(again.tensor(name), embeds.tensor(name))
            assert pickle.dumps(again, protocol) == pickle.dumps(embeds, protocol)

    def test_nothing_is_left_on_the_disk(
        self, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        embeds = engine.encode_images([scene(8, 8)])
        content = pickle.dumps(embeds)
        pickle.loads(content)
        with pytest.raises(kandinsky.CorruptFileError):
            pickle.loads(content.replace(b"image_embeds", b"image_Embeds"))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
    def test_copied(self, engine: Engine, copied: Callable[[Any], Any]) -> None:
        embeds = engine.encode_images([scene(8, 8)])
        again = copied([embeds])[0]
        for name in TENSORS:
            assert np.array_equal(again.tensor(name), embeds.tensor(name))

    def test_errors_are_pickled(self) -> None:
        for name in (name for name in kandinsky.__all__ if name.endswith("Error")):
            error = pickle.loads(pickle.dumps(getattr(kandinsky, name)("text")))
            assert type(error).__name__ == name
            assert str(error) == "text"


def test_encode_takes_the_size_from_the_images(model: Path) -> None:
    images = np.zeros((1, 64, 64, 3), np.uint8)
    with Engine(model) as engine:
        for name in ("width", "height"):
            with pytest.raises(TypeError, match=f"'{name}': it comes from the images"):
                engine.encode(images, **{name: 128})
        assert engine.encode(images).shape == (1, 4, 8, 8)
