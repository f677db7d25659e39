"""img2img, inpaint and mix on a tiny model: images, sizes, weights, and what the PNGs tell."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.built import DEPTH_2_2, INPAINT, NATIVE_SIZE, run_program
from support.effects import EFFECTS
from support.flags import flag

import kandinsky_engine as kandinsky

FEW = {"--steps": "4", "--prior-steps": "2", "--precision": "fp32", "--seed": "1"}
SIDE = NATIVE_SIZE


def generate(
    command: str, model: Path, output: Path | str, *options: str | Path
) -> list[np.ndarray]:
    """Runs a command quietly, quickly and repeatably; options win. Returns the images."""
    given = {str(option).partition("=")[0] for option in options}
    few = [f"{name}={value}" for name, value in FEW.items() if name not in given]
    if command != "mix" and "--prompt" not in given:
        few.append("--prompt=a red circle")
    done = run_program(
        command, "--model", model, "--output", output, "--quiet", *few, *map(str, options)
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [read(Path(line)) for line in done.stdout.splitlines() if line.endswith(".png")]


def parameters(path: Path) -> str:
    with Image.open(path) as image:
        text = image.info["parameters"]
    assert isinstance(text, str)
    return text


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def scene(width: int = SIDE, height: int = SIDE, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(width * 1000 + height)
    coarse = rng.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    large = Image.fromarray(coarse.squeeze(), {1: "L", 3: "RGB", 4: "RGBA"}[channels])
    return np.asarray(large.resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(scene()).save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """White in the right half."""
    white = np.zeros((SIDE, SIDE), np.uint8)
    white[:, SIDE // 2 :] = 255
    Image.fromarray(white).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


# What the PNG tells of options that have a name of the host's, or a file; of others
# "Kandinsky <name>: <value>".
TOLD = {
    "prompts": "a blue square",
    "negative_prompts": "Negative prompt: blue",
    "negative_prior_prompts": "Kandinsky negative prior prompt: dark",
    "prior_num_inference_steps": "Kandinsky prior steps: 3",
    "prior_guidance_scale": "Kandinsky prior CFG scale: 2",
    "prior_images": "Kandinsky prior image: prior_images-changed.png",
    "hints": "Kandinsky hint: hints-changed.png",
    "parse_weights": "Kandinsky plain prompt: True",
    "seeds": "Seed: 2",
    "width": f"Size: 128x{SIDE}",
    "height": f"Size: {SIDE}x128",
    "tiling": "Tiling: True",
    "sampler": "Sampler: Euler",
    "scheduler": "Schedule type: Karras",
    "num_inference_steps": "Steps: 5",
    "guidance_scale": "CFG scale: 7",
    "preset": "Schedule type: Optimized",
    "sigmas": 'Kandinsky sigmas: "25,5,0.5,0.1"',
    "variation_seeds": "Variation seed: 3",
    "variation_strength": "Variation seed strength: 0.5",
    "seed_resize_width": "Seed resize from: 64x128",
    "seed_resize_height": "Seed resize from: 128x64",
    "images": "Denoising strength: 0.5",
    "strength": "Denoising strength: 0.75",
    "masks": "Mask blur: 4",
    "invert_mask": "Mask mode: Inpaint not masked",
    "mask_blur": "Mask blur: 0",
    "mask_fill": "Masked content: fill",
    "mask_method": "Kandinsky inpaint: blend",
}
OPTIONS = {
    option.name: option
    for operation in ("engine", "image_to_image")
    for option in kandinsky.options(operation)
}


def arguments(keywords: dict[str, Any], folder: Path, which: str) -> list[str]:
    """Keywords of the package as the command line has them; images become files."""
    given = {"width": SIDE, "height": SIDE, **keywords}

    def text(name: str, value: Any) -> str:
        if name.startswith("seed_resize"):
            return f"{given['seed_resize_width']}x{given['seed_resize_height']}"
        if OPTIONS[name].type != "images":
            return str(value[0] if isinstance(value, list) else value)
        file = folder / f"{name}-{which}.png"
        Image.fromarray(value[0]).save(file)
        return str(file)

    values = {
        flag(OPTIONS[name]): "" if OPTIONS[name].type == "flag" else f"={text(name, value)}"
        for name, value in given.items()
    }
    return [name + value for name, value in values.items()]


@pytest.mark.parametrize(
    "name",
    [
        *(
            option.name
            for option in kandinsky.options("image_to_image")
            if option.type not in ("floats", "conditions")
        ),
        "int8_weights",
    ],
)
def test_every_option_matters_and_is_told(
    inpaint_model: Path, kandinsky_2_2: Path, tmp_path: Path, name: str
) -> None:
    _, base, (value, *_) = EFFECTS[name]
    model = kandinsky_2_2 / DEPTH_2_2 if "hints" in base else inpaint_model
    results, texts = [], []
    for which, keywords in (("before", base), ("changed", {**base, name: value})):
        command = (
            "inpaint" if "masks" in keywords else "img2img" if "images" in keywords else "txt2img"
        )
        words = arguments(keywords, tmp_path, which)
        results += generate(command, model, tmp_path / "x.png", *words)
        texts.append(re.split(r"\n|, ", parameters(tmp_path / "x.png")))
    assert results[0].tobytes() != results[1].tobytes()
    told = TOLD.get(name, f"Kandinsky {name.replace('_', ' ')}: {value}")
    assert told in texts[1]
    assert told not in texts[0] or name == "images"


class TestImg2Img:
    def test_strength_zero_is_the_image_and_more_is_another(
        self, model: Path, tmp_path: Path, image: Path
    ) -> None:
        distances = []
        for strength in ("0", "0.25", "0.5", "1"):
            out = tmp_path / f"{strength}.png"
            [generated] = generate(
                "img2img", model, out, "--image", image, f"--strength={strength}"
            )
            distances.append(float(np.abs(generated.astype(int) - scene()).mean()))
            assert f", Denoising strength: {strength}, " in parameters(out)
        assert distances[0] == 0
        assert len(set(distances)) == 4

    def test_strength_one_is_free_of_the_image(
        self, model: Path, tmp_path: Path, image: Path
    ) -> None:
        Image.fromarray(255 - scene()).save(tmp_path / "other.png")
        options = ("--strength=1",)
        [one] = generate("img2img", model, tmp_path / "1.png", "--image", image, *options)
        [two] = generate(
            "img2img", model, tmp_path / "2.png", "--image", tmp_path / "other.png", *options
        )
        assert np.array_equal(one, two)

    def test_same_words_same_bytes_and_a_batch_is_its_images(
        self, model: Path, tmp_path: Path, image: Path
    ) -> None:
        options = ("--image", image, "--strength=0.5")
        batch = generate("img2img", model, f"{tmp_path}/out/", *options, "--batch-size=2")
        for i, path in enumerate(sorted((tmp_path / "out").iterdir())):
            [alone] = generate("img2img", model, tmp_path / "x.png", *options, f"--seed={i + 1}")
            assert np.array_equal(alone, batch[i])
            assert (tmp_path / "x.png").read_bytes() == path.read_bytes()

    @pytest.mark.parametrize(
        ("options", "size"),
        [
            ((), (100, 70)),
            (("--width=50",), (50, 35)),
            (("--height=140",), (200, 140)),
            (("--width=64", "--height=128"), (64, 128)),
            (("--tiling",), (128, 64)),
        ],
    )
    def test_size_is_the_images_own_unless_asked(
        self, model: Path, tmp_path: Path, options: tuple[str, ...], size: tuple[int, int]
    ) -> None:
        Image.fromarray(scene(100, 70)).save(tmp_path / "a.png")
        [generated] = generate(
            "img2img", model, tmp_path / "x.png", "--image", tmp_path / "a.png", *options
        )
        assert generated.shape[1::-1] == size
        assert f", Size: {size[0]}x{size[1]}, " in parameters(tmp_path / "x.png")

    def test_large_images_are_scaled_down_and_that_is_said(
        self, model: Path, tmp_path: Path
    ) -> None:
        Image.fromarray(scene(400, 100)).save(tmp_path / "a.png")
        done = run_program(
            *("img2img", "--model", model, "--image", tmp_path / "a.png", "--prompt", "a"),
            *("--output", tmp_path / "x.png", "--steps=2", "--prior-steps=2"),
        )
        assert done.returncode == 0, done.stderr
        # 4 * 64 * 64 pixels of the same shape.
        assert "the image of 400 x 100 is generated at 256 x 64" in done.stderr
        assert read(tmp_path / "x.png").shape == (64, 256, 3)

    @pytest.mark.parametrize("channels", [1, 4])
    def test_grey_and_transparent_images(self, model: Path, tmp_path: Path, channels: int) -> None:
        image = scene(channels=channels).copy()
        if channels == 4:
            image[:8, :, 3] = 0
            image[8:, :, 3] = 255
        Image.fromarray(image).save(tmp_path / "a.png")
        [generated] = generate(
            *("img2img", model, tmp_path / "x.png", "--image", tmp_path / "a.png", "--strength=0")
        )
        if channels == 1:
            assert np.array_equal(generated, np.repeat(image[..., None], 3, axis=2))
        else:
            assert (generated[:8] == 255).all()
            assert np.array_equal(generated[8:], image[8:, :, :3])

    def test_turned_upright_by_the_cameras_tag(self, model: Path, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(scene(64, 32)).save(tmp_path / "a.jpg", exif=exif)
        options = ("--image", tmp_path / "a.jpg", "--strength=0")
        [generated] = generate("img2img", model, tmp_path / "x.png", *options)
        assert generated.shape == (64, 32, 3)


class TestInpaint:
    @pytest.mark.parametrize("method", ["model", "blend"])
    def test_outside_the_mask_nothing_changes(
        self, inpaint_model: Path, tmp_path: Path, image: Path, mask: Path, method: str
    ) -> None:
        options = ("--image", image, "--mask", mask, "--mask-blur=0", f"--mask-method={method}")
        [generated] = generate("inpaint", inpaint_model, tmp_path / "x.png", *options)
        assert np.array_equal(generated[:, : SIDE // 2], scene()[:, : SIDE // 2])
        assert not np.array_equal(generated[:, SIDE // 2 :], scene()[:, SIDE // 2 :])
        text = parameters(tmp_path / "x.png")
        assert f", Kandinsky inpaint: {method}, " in text
        assert ", Denoising strength: 1, Mask blur: 0, " in text

    def test_method_follows_from_what_there_is(
        self, model: Path, inpaint_model: Path, tmp_path: Path, image: Path, mask: Path
    ) -> None:
        options = ("--image", image, "--mask", mask)
        found = inpaint_model.with_name(INPAINT)
        cases = {
            "blend": (model, ()),
            "model": (inpaint_model, ()),
            "given": (model, ("--inpaint", found)),
            "none": (inpaint_model, ("--inpaint", "")),
        }
        images = {}
        for name, (folder, more) in cases.items():
            out = tmp_path / f"{name}.png"
            [images[name]] = generate("inpaint", folder, out, *options, *more)
            method = {"given": "model", "none": "blend"}.get(name, name)
            assert f", Kandinsky inpaint: {method}, " in parameters(out)
        assert np.array_equal(images["model"], images["given"])
        assert np.array_equal(images["blend"], images["none"])
        assert not np.array_equal(images["model"], images["blend"])

    def test_no_composite_leaves_the_models_pixels(
        self, inpaint_model: Path, tmp_path: Path, image: Path, mask: Path
    ) -> None:
        options = ("--image", image, "--mask", mask, "--no-composite")
        [generated] = generate("inpaint", inpaint_model, tmp_path / "x.png", *options)
        assert not np.array_equal(generated[:, : SIDE // 4], scene()[:, : SIDE // 4])
        assert ", Kandinsky composite: False, " in parameters(tmp_path / "x.png")

    def test_inverted_mask_is_the_other_mask(
        self, inpaint_model: Path, tmp_path: Path, image: Path, mask: Path
    ) -> None:
        with Image.open(mask) as opened:
            Image.fromarray(255 - np.asarray(opened)).save(tmp_path / "inverted.png")
        options = ("--image", image, "--mask")
        [one] = generate("inpaint", inpaint_model, tmp_path / "1.png", *options, mask)
        [two] = generate(
            *("inpaint", inpaint_model, tmp_path / "2.png", *options),
            *(tmp_path / "inverted.png", "--invert-mask"),
        )
        assert np.array_equal(one, two)
        assert ", Mask mode: Inpaint not masked, " in parameters(tmp_path / "2.png")

    def test_a_black_mask_gives_the_image_back(
        self, inpaint_model: Path, tmp_path: Path, image: Path
    ) -> None:
        Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(tmp_path / "black.png")
        options = ("--image", image, "--mask", tmp_path / "black.png")
        [generated] = generate("inpaint", inpaint_model, tmp_path / "x.png", *options)
        assert np.array_equal(generated, scene())

    def test_a_mask_of_another_size_is_refused(
        self, inpaint_model: Path, tmp_path: Path, image: Path
    ) -> None:
        Image.fromarray(np.zeros((SIDE, SIDE + 1), np.uint8)).save(tmp_path / "wide.png")
        done = run_program(
            *("inpaint", "--model", inpaint_model, "--prompt", "a", "--output", tmp_path / "x.png"),
            *("--image", image, "--mask", tmp_path / "wide.png", "--quiet"),
        )
        assert done.returncode == 2, done.stderr
        assert f"{SIDE + 1} x {SIDE}" in done.stderr
        assert not (tmp_path / "x.png").exists()


class TestMix:
    def test_one_text_is_txt2img(self, model: Path, tmp_path: Path) -> None:
        [mixed] = generate("mix", model, tmp_path / "1.png", "--text", "a red circle")
        [plain] = generate("txt2img", model, tmp_path / "2.png")
        assert np.array_equal(mixed, plain)
        text = parameters(tmp_path / "1.png")
        assert text.startswith("a red circle\n")
        assert ', Kandinsky mix items: 1 \\"a red circle\\", '.replace("\\", "") in text

    def test_weight_zero_leaves_no_trace_and_weights_matter(
        self, model: Path, tmp_path: Path, image: Path
    ) -> None:
        def mix(*words: str | Path) -> bytes:
            return generate("mix", model, tmp_path / "x.png", *words)[0].tobytes()

        alone = mix("--text", "a cat")
        assert mix("--text", "a cat", "--image", image, "--weight", "0") == alone
        assert mix("--image", image, "--weight=0", "--text", "a cat") == alone
        assert mix("--text", "a cat", "--text", "a dog", "--weight", "0.0") == alone
        kinds = [
            mix("--text", "a cat", "--weight=0.3", "--image", image, "--weight=0.7"),
            mix("--text", "a cat", "--weight=0.7", "--image", image, "--weight=0.3"),
            mix("--text", "a cat", "--image", image),
            mix("--text", "a cat", "--image", image, "--weight", "-1.5"),
            mix("--text", "a cat", "--image", image, "--slerp"),
            mix("--image", image),
            mix("--image", image, "--prompt", "a cat"),
        ]
        assert len({alone, *kinds}) == len(kinds) + 1

    def test_a_batch_is_its_images(self, model: Path, tmp_path: Path, image: Path) -> None:
        words = ("--text", "a cat", "--image", image, "--negative-prompt", "blue")
        batch = generate("mix", model, f"{tmp_path}/out/", *words, "--batch-size=2")
        for i in range(2):
            [alone] = generate("mix", model, tmp_path / "x.png", *words, f"--seed={i + 1}")
            assert np.array_equal(alone, batch[i])

    def test_saved_embeds_generate_the_same(self, model: Path, tmp_path: Path, image: Path) -> None:
        saved = tmp_path / "mix.safetensors"
        words = ("--text", "a cat", "--weight=0.5", "--image", image)
        [generated] = generate("mix", model, tmp_path / "1.png", *words, "--save-embeds", saved)
        [again] = generate("mix", model, tmp_path / "2.png", "--embeds", saved)
        assert np.array_equal(generated, again)

    def test_txt2img_saves_embeds_with_and_without_an_image(
        self, model: Path, tmp_path: Path
    ) -> None:
        saved = tmp_path / "a.safetensors"
        [plain] = generate("txt2img", model, tmp_path / "1.png")
        [generated] = generate("txt2img", model, tmp_path / "2.png", "--save-embeds", saved)
        assert np.array_equal(generated, plain)
        content = saved.read_bytes()
        saved.unlink()
        done = run_program(
            *("txt2img", "--model", model, "--prompt=a red circle", "--save-embeds", saved),
            *(f"{name}={value}" for name, value in FEW.items()),
            "--quiet",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{saved}\n"
        assert saved.read_bytes() == content

    def test_embeds_of_another_batch_are_refused(self, model: Path, tmp_path: Path) -> None:
        saved = tmp_path / "a.safetensors"
        generate("txt2img", model, f"{tmp_path}/out/", "--save-embeds", saved, "--batch-size=2")
        done = run_program(
            *("mix", "--model", model, "--embeds", saved, "--output", f"{tmp_path}/x/"),
            *("--batch-size=3", "--quiet"),
        )
        assert done.returncode == 2
        assert f"kandinsky: embeds {saved}: it has 2 rows, but 3 images are wanted" in done.stderr

    def test_mixing_inside_img2img_and_inpainting(
        self, inpaint_model: Path, tmp_path: Path, image: Path, mask: Path
    ) -> None:
        words = ("--text", "a cat", "--image", image, "--init-image", image)
        [gone] = generate("mix", inpaint_model, tmp_path / "1.png", *words, "--strength=0")
        assert np.array_equal(gone, scene())
        options = ("--mask", mask, "--mask-blur=0", "--strength=1")
        [half] = generate("mix", inpaint_model, tmp_path / "2.png", *words, *options)
        assert np.array_equal(half[:, : SIDE // 2], scene()[:, : SIDE // 2])
        assert not np.array_equal(half[:, SIDE // 2 :], scene()[:, SIDE // 2 :])


class TestNoise:
    def test_variations(self, model: Path, tmp_path: Path) -> None:
        options = ("--variation-strength=0.3", "--variation-seed=7")
        batch = generate("txt2img", model, f"{tmp_path}/out/", *options, "--batch-size=2")
        assert not np.array_equal(*batch)
        for i, path in enumerate(sorted((tmp_path / "out").iterdir())):
            text = parameters(path)
            assert ", Seed: 1, " in text
            assert f", Variation seed: {7 + i}, Variation seed strength: 0.3, " in text
        [alone] = generate(
            *("txt2img", model, tmp_path / "x.png"),
            *("--variation-strength=0.3", "--variation-seed=8"),
        )
        assert np.array_equal(alone, batch[1])

    def test_prompt_weights_and_long_prompts(self, model: Path, tmp_path: Path) -> None:
        long = "circle " * 100
        prompts = {
            "plain": ("--prompt=a red circle",),
            "weighed": ("--prompt=a (red:1.5) circle",),
            "brackets": ("--prompt=a (red:1.5) circle", "--plain-prompt"),
            "cut": (f"--prompt={long}",),
            "whole": (f"--prompt={long}", "--long-prompts"),
        }
        seen = set()
        for name, options in prompts.items():
            done = run_program(
                *("txt2img", "--model", model, "--output", tmp_path / f"{name}.png"),
                *(f"{option}={value}" for option, value in FEW.items()),
                *options,
            )
            assert done.returncode == 0, done.stderr
            assert ("were left out" in done.stderr) == (name == "cut")
            seen.add(read(tmp_path / f"{name}.png").tobytes())
        assert len(seen) == len(prompts)


def test_every_sampler_and_scheduler_generates(model: Path, tmp_path: Path) -> None:
    pairs = [(sampler, "Automatic") for sampler in kandinsky.samplers()]
    pairs += [("Euler", scheduler) for scheduler in list(kandinsky.schedulers())[1:]]
    for sampler, scheduler in pairs:
        out = tmp_path / "x.png"
        options = (f"--sampler={sampler.lower()}", f"--scheduler={scheduler.upper()}")
        [generated] = generate("txt2img", model, out, *options)
        assert len(np.unique(generated)) > 10
        assert f", Sampler: {sampler}, Schedule type: {scheduler}, " in parameters(out)
