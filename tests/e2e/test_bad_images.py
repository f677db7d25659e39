"""Odd images, masks and mixes, by CLI and package: a clear error or the sensible thing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import image_bytes
from support.built import NATIVE_SIZE, run_program

import kandinsky_engine as kandinsky
from kandinsky_engine import Embeds, Engine

INVALID, NOT_FOUND, CORRUPT, UNSUPPORTED, INTERNAL = 2, 3, 4, 5, 10
FEW = ("--steps=2", "--prior-steps=2", "--quiet", "--seed=1")
OPTIONS: dict[str, Any] = {
    "seeds": [1],
    "width": NATIVE_SIZE,
    "height": NATIVE_SIZE,
    "num_inference_steps": 2,
}


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    with Engine(model, precision="fp32") as engine:
        yield engine


def scene(width: int = NATIVE_SIZE, height: int = NATIVE_SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(model: Path, out: Path, command: str, *words: str | Path) -> tuple[int, str]:
    """Exit code and message of a command that fails, or "" if it generates."""
    done = run_program(command, "--model", model, "--output", out, *FEW, *map(str, words))
    assert done.returncode not in {INTERNAL, 1}, done.stderr
    assert done.returncode >= 0, "it crashed"
    if done.returncode == 0:
        assert out.exists()
        return 0, ""
    assert not out.exists()
    # One line: the libraries that read images have no say of their own.
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr


def png(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def whole_png() -> bytes:
    # Large enough that a cut in the middle hits the pixels.
    import io  # noqa: PLC0415

    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG")
    return buffer.getvalue()


BROKEN: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"this is no image at all",
    "a pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "half": lambda: whole_png()[: len(whole_png()) // 2],
    "header only": lambda: whole_png()[:40],
    "scrambled": lambda: whole_png()[:60] + bytes(1000) + whole_png()[1060:],
    "no PNG": lambda: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "no JPEG": lambda: b"\xff\xd8\xff\xe0" + bytes(100),
    "no WebP": lambda: b"RIFF\x64\0\0\0WEBPVP8 " + bytes(100),
    "a bomb": lambda: whole_png()[:16] + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + whole_png()[24:],
}


class TestFiles:
    @pytest.mark.parametrize("name", BROKEN)
    def test_corrupt(self, model: Path, tmp_path: Path, name: str) -> None:
        path = tmp_path / "bad.png"
        path.write_bytes(BROKEN[name]())
        code, line = run(model, tmp_path / "x.png", "img2img", "--prompt", "a", "--image", path)
        assert code in {INVALID, CORRUPT, UNSUPPORTED}
        assert "bad.png" in line
        with pytest.raises(kandinsky.KandinskyError, match=r"bad\.png") as caught:
            kandinsky.load_image(path)
        assert not isinstance(caught.value, kandinsky.InternalError)
        assert f"kandinsky: {caught.value}\n" == line

    @pytest.mark.parametrize("option", ["--image", "--mask"])
    def test_missing(self, model: Path, tmp_path: Path, option: str) -> None:
        good = png(tmp_path / "a.png", scene())
        files = {"--image": good, "--mask": good, option: tmp_path / "none.png"}
        words = [word for pair in files.items() for word in pair]
        code, line = run(model, tmp_path / "x.png", "inpaint", "--prompt", "a", *words)
        assert code == NOT_FOUND
        assert "none.png" in line
        with pytest.raises(kandinsky.NotFoundError):
            kandinsky.load_image(tmp_path / "none.png")

    def test_a_folder(self, model: Path, tmp_path: Path) -> None:
        code, line = run(model, tmp_path / "x.png", "img2img", "--prompt", "a", "--image", tmp_path)
        assert code in {INVALID, NOT_FOUND, CORRUPT, UNSUPPORTED}
        assert str(tmp_path) in line

    @pytest.mark.parametrize("kind", ["png", "webp"])
    def test_animated(self, model: Path, tmp_path: Path, kind: str) -> None:
        """The first image counts."""
        frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
        path = tmp_path / f"a.{kind}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert np.array_equal(kandinsky.load_image(path)[..., :3], scene())
        words = ("--prompt", "a", "--image", path, "--strength=0")
        assert run(model, tmp_path / "x.png", "img2img", *words) == (0, "")

    def test_a_gif_is_told_what_is_read(self, model: Path, tmp_path: Path) -> None:
        Image.fromarray(scene()).save(tmp_path / "a.gif")
        words = ("--prompt", "a", "--image", tmp_path / "a.gif")
        code, line = run(model, tmp_path / "x.png", "img2img", *words)
        assert code in {CORRUPT, UNSUPPORTED}
        assert "a.gif" in line
        assert "PNG" in line


class TestShapes:
    @pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9000), (9000, 1)])
    def test_tiny_and_thin_images_are_generated(
        self, model: Path, engine: Engine, tmp_path: Path, width: int, height: int
    ) -> None:
        image = scene(width, height)
        path = png(tmp_path / "a.png", image)
        words = ("--prompt", "a", "--image", path, "--width=64", "--height=64")
        assert run(model, tmp_path / "x.png", "img2img", *words) == (0, "")
        for resize in ("stretch", "crop", "fill"):
            generated = engine.image_to_image(
                ["a"], images=[image], resize=resize, prior_num_inference_steps=2, **OPTIONS
            )
            assert generated.shape == (1, NATIVE_SIZE, NATIVE_SIZE, 3)

    def test_size_of_a_thin_image_is_its_own(self, model: Path, tmp_path: Path) -> None:
        path = png(tmp_path / "a.png", scene(1, 900))
        words = ("--prompt", "a", "--image", path)
        assert run(model, tmp_path / "x.png", "img2img", *words) == (0, "")
        with Image.open(tmp_path / "x.png") as generated:
            assert generated.size == (1, 900)

    @pytest.mark.parametrize("size", [(65, 64), (1, 1), (64, 63)])
    def test_a_mask_of_another_size(
        self, model: Path, engine: Engine, tmp_path: Path, size: tuple[int, int]
    ) -> None:
        image = png(tmp_path / "a.png", scene())
        mask = png(tmp_path / "m.png", np.full(size[::-1], 255, np.uint8))
        words = ("--prompt", "a", "--image", image, "--mask", mask)
        code, line = run(model, tmp_path / "x.png", "inpaint", *words)
        assert code == INVALID
        assert f"{size[0]} x {size[1]}" in line
        with pytest.raises(kandinsky.InvalidArgumentError, match=f"{size[0]} x {size[1]}"):
            engine.image_to_image(
                ["a"], images=[scene()], masks=[np.zeros(size[::-1], np.uint8)], **OPTIONS
            )

    def test_a_black_mask_gives_the_image_back_and_says_so(self, engine: Engine) -> None:
        messages: list[str] = []
        engine.on_message = messages.append
        black = np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)
        generated = engine.image_to_image(
            ["a"], images=[scene()], masks=[black], prior_num_inference_steps=2, **OPTIONS
        )
        engine.on_message = None
        assert np.array_equal(generated[0], scene())
        assert any("black" in message for message in messages), messages

    def test_a_mask_whose_white_is_transparent_keeps_everything(
        self, model: Path, tmp_path: Path
    ) -> None:
        image, mask = png(tmp_path / "a.png", scene()), tmp_path / "m.png"
        white = np.full((NATIVE_SIZE, NATIVE_SIZE, 1), 255, np.uint16)
        white_is_transparent = (b"tRNS", b"\0\xff")
        mask.write_bytes(image_bytes.png(white, 8, image_bytes.GREY, before=[white_is_transparent]))
        words = ("--prompt", "a", "--image", image, "--mask", mask)
        assert run(model, tmp_path / "x.png", "inpaint", *words) == (0, "")
        with Image.open(tmp_path / "x.png") as generated:
            assert np.array_equal(np.asarray(generated), scene())

    @pytest.mark.parametrize("count", [0, 2, 3])
    def test_as_many_images_as_results_or_one(self, engine: Engine, count: int) -> None:
        with pytest.raises(kandinsky.InvalidArgumentError, match="image"):
            engine.image_to_image(["a"], images=[scene()] * count, **OPTIONS)


class TestMixes:
    def test_weights_that_are_no_weights(self, engine: Engine) -> None:
        embeds = engine.encode_images([scene()])
        for weight in (float("nan"), float("inf"), 1e30, -1e30):
            with pytest.raises(kandinsky.InvalidArgumentError, match="weight"):
                Embeds.combine([embeds, embeds], [1, weight])
        for weights in ([1], [1, 2, 3]):
            with pytest.raises(kandinsky.InvalidArgumentError, match="weights"):
                Embeds.combine([embeds, embeds], weights)

    @pytest.mark.parametrize("weights", [("0", "0"), ("1", "-1")])
    @pytest.mark.parametrize("method", [(), ("--slerp",)])
    def test_weights_that_sum_to_zero(
        self, model: Path, tmp_path: Path, weights: tuple[str, str], method: tuple[str, ...]
    ) -> None:
        """The plain sum is what was asked for; a share of nothing is not."""
        words = ("--text", "a", "--weight", weights[0], "--text", "b", "--weight", weights[1])
        code, line = run(model, tmp_path / "x.png", "mix", *words, *method)
        if method:
            assert code == INVALID
            assert "weight" in line
        else:
            assert code in {0, INVALID}

    def test_fifty_images(self, model: Path, engine: Engine, tmp_path: Path) -> None:
        path = png(tmp_path / "a.png", scene())
        words = [word for _ in range(50) for word in ("--image", path, "--weight", "0.02")]
        assert run(model, tmp_path / "x.png", "mix", *words) == (0, "")
        code, line = run(model, tmp_path / "y.png", "mix", *["--image", path] * 65)
        assert code == INVALID
        assert "65 items to mix, expected up to 64" in line
        embeds = engine.encode_images([scene()])
        assert Embeds.combine([embeds] * 50, [0.02] * 50).batch_size == 1

    def test_nothing(self, engine: Engine) -> None:
        for call in (
            lambda: Embeds.combine([], []),
            lambda: Embeds.concat([]),
            lambda: engine.encode_images([]),
            lambda: engine.encode_images([scene()] * 65),
        ):
            with pytest.raises(kandinsky.InvalidArgumentError):
                call()

    @pytest.mark.parametrize("content", [b"", b"{}", bytes(1000), b"\xff" * 100])
    def test_corrupt_embeds(self, model: Path, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.safetensors").write_bytes(content)
        words = ("--embeds", tmp_path / "a.safetensors")
        code, line = run(model, tmp_path / "x.png", "mix", *words)
        assert code == CORRUPT
        assert "a.safetensors" in line

    def test_a_model_file_is_no_embeds(self, model: Path, tmp_path: Path) -> None:
        weights = model / "unet/diffusion_pytorch_model.safetensors"
        code, line = run(model, tmp_path / "x.png", "mix", "--embeds", weights)
        assert code in {INVALID, CORRUPT}
        assert weights.name in line


class TestSettings:
    @pytest.mark.parametrize("name", ["Euler z", "", "DDIM "])
    def test_unknown_names_list_the_known_ones(self, engine: Engine, name: str) -> None:
        for option, known in (("sampler", "DDIM"), ("scheduler", "Automatic")):
            with pytest.raises(kandinsky.InvalidArgumentError, match=known):
                engine.text_to_image(["a"], **OPTIONS, **{option: name})

    def test_tiling_needs_whole_multiples(
        self, model: Path, engine: Engine, tmp_path: Path
    ) -> None:
        words = ("--prompt", "a", "--tiling", "--width=65")
        code, line = run(model, tmp_path / "x.png", "txt2img", *words)
        assert code == INVALID
        assert "64" in line
        with pytest.raises(kandinsky.InvalidArgumentError, match="64"):
            engine.text_to_image(["a"], **{**OPTIONS, "width": 65, "tiling": True})

    @pytest.mark.parametrize(
        "options",
        [
            {"strength": 1e30},
            {"strength": float("nan")},
            {"guidance_start": 0.8, "guidance_end": 0.2},
            {"variation_strength": 0.5},
            {"seed_resize_width": 64},
            {"seed_resize_width": 20000, "seed_resize_height": 64},
            {"mask_blur": -1},
        ],
    )
    def test_values_that_make_no_sense(self, engine: Engine, options: dict[str, Any]) -> None:
        with pytest.raises(kandinsky.InvalidArgumentError):
            engine.image_to_image(["a"], images=[scene()], **OPTIONS, **options)
