"""Components from other folders and files, and LoRA."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support import checkpoints
from support.built import MODEL, PRIOR, UNET_WEIGHTS, copy_models, run_program

import kandinsky_engine as kandinsky
from kandinsky_engine import Engine

Tensors = dict[str, torch.Tensor]
PRIOR_WEIGHTS = Path("prior/diffusion_pytorch_model.safetensors")
ADDED = ("to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj")


def generate(engine: Engine) -> np.ndarray:
    return engine.text_to_image(
        ["a red cat"],
        seeds=[5],
        width=64,
        height=64,
        num_inference_steps=2,
        prior_num_inference_steps=2,
    )


def image(model: Path, **options: object) -> np.ndarray:
    with Engine(model, device="cpu", precision="fp32", **options) as engine:  # type: ignore[arg-type]
        return generate(engine)


def assert_close(a: np.ndarray, b: np.ndarray) -> None:
    assert np.abs(a.astype(int) - b).max() <= 1


@pytest.fixture(scope="module")
def plain(model: Path) -> np.ndarray:
    return image(model)


def matrices(weights: Path, rank: int = 4) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """A down and an up matrix for each projection of attention."""
    generator = torch.Generator().manual_seed(7)
    pairs = {}
    for name, tensor in checkpoints.load(weights).items():
        if re.search(r"\.(to_[qkv]|to_out\.0|add_[kv]_proj)\.weight$", name):
            down = torch.randn(rank, tensor.shape[1], generator=generator)
            up = torch.randn(tensor.shape[0], rank, generator=generator) * 0.2
            pairs[name.removesuffix(".weight")] = (down, up)
    return pairs


def merged(weights: Path, scale: float, path: Path) -> Path:
    """The weights of the LoRA's definition: W + scale * up * down."""
    tensors = checkpoints.load(weights)
    for name, (down, up) in matrices(weights).items():
        tensors[f"{name}.weight"] += scale * (up.double() @ down.double()).float()
    checkpoints.save(path, tensors)
    return path


def processor_form(pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Tensors:
    """Of diffusers' attention processors."""
    tensors = {}
    for name, (down, up) in pairs.items():
        unit, projection = re.fullmatch(
            r"(.*)\.(to_[qkv]|to_out|add_[kv]_proj)(?:\.0)?", name
        ).groups()  # type: ignore[union-attr]
        tensors[f"{unit}.processor.{projection}_lora.down.weight"] = down
        tensors[f"{unit}.processor.{projection}_lora.up.weight"] = up
    return tensors


def peft_form(pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Tensors:
    tensors = {}
    for name, (down, up) in pairs.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = down
        tensors[f"base_model.model.{name}.lora_B.weight"] = up
    return tensors


FORMS = {"processor": processor_form, "peft": peft_form}


class TestLora:
    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
    @pytest.mark.parametrize("place", ["unet", "prior"])
    def test_is_what_its_formula_says(
        self, model: Path, plain: np.ndarray, tmp_path: Path, form: Callable, place: str
    ) -> None:
        weights = (
            model / UNET_WEIGHTS if place == "unet" else model.with_name(PRIOR) / PRIOR_WEIGHTS
        )
        option = "unet" if place == "unet" else "prior_model"
        file = tmp_path / "lora.bin"
        checkpoints.save(file, form(matrices(weights)))
        expected = image(model, **{option: merged(weights, 0.8, tmp_path / "merged.bin")})
        assert np.abs(expected.astype(int) - plain).max() > 8
        assert_close(image(model, loras=[f"{file}:0.8"]), expected)

    def test_alpha_counts(self, model: Path, tmp_path: Path) -> None:
        weights = model / UNET_WEIGHTS
        expected = image(model, unet=merged(weights, 0.5, tmp_path / "merged.bin"))
        # 2 of rank 4: in the file, and beside it.
        inside = processor_form(matrices(weights))
        for name in list(inside):
            if name.endswith("down.weight"):
                inside[name.replace("down.weight", "alpha")] = torch.tensor(2.0)
        checkpoints.save(tmp_path / "inside.bin", inside)
        assert_close(image(model, loras=[str(tmp_path / "inside.bin")]), expected)
        checkpoints.save(tmp_path / "adapter/adapter_model.bin", peft_form(matrices(weights)))
        settings = {"lora_alpha": 2, "r": 4, "use_rslora": False, "alpha_pattern": {}}
        (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(settings))
        beside = str(tmp_path / "adapter/adapter_model.bin")
        assert_close(image(model, loras=[beside]), expected)
        settings["use_rslora"] = True  # by the root of the rank: 1
        (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(settings))
        assert_close(image(model, loras=[f"{beside}:0.5"]), expected)
        # As diffusers writes it today, in the file itself.
        notes = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2, "unet.r": 4})}
        tensors = {
            name.replace("base_model.model", "unet"): value
            for name, value in peft_form(matrices(weights)).items()
        }
        checkpoints.save_safetensors(tmp_path / "today.safetensors", tensors, notes)
        assert_close(image(model, loras=[str(tmp_path / "today.safetensors")]), expected)
        settings["alpha_pattern"] = {"to_q": 8}
        (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(settings))
        with pytest.raises(kandinsky.UnsupportedError, match='"alpha_pattern" is not supported'):
            image(model, loras=[beside])

    def test_comes_and_goes_without_loading_all_again(
        self, model: Path, plain: np.ndarray, tmp_path: Path
    ) -> None:
        weights = model / UNET_WEIGHTS
        one = tmp_path / "one.bin"
        checkpoints.save(one, peft_form(matrices(weights)))
        prior_weights = model.with_name(PRIOR) / PRIOR_WEIGHTS
        two = tmp_path / "two.bin"
        checkpoints.save(two, peft_form(matrices(prior_weights)))
        stages: list[str] = []
        with Engine(model, device="cpu", precision="fp32") as engine:
            engine.on_progress = lambda progress: stages.append(progress.stage)
            assert_close(generate(engine), plain)
            assert stages.count("load") > 2
            stages.clear()
            engine.set_loras([f"{one}:0.3", f"{one}:0.5"])
            both = generate(engine)
            assert stages.count("load") == 2  # the UNet, begun and done
            assert_close(both, image(model, unet=merged(weights, 0.8, tmp_path / "merged.bin")))
            assert re.fullmatch(
                r"loras: one\.bin \[[0-9a-f]{8}\]: 0\.3 \+ one\.bin \[[0-9a-f]{8}\]: 0\.5\n",
                engine.info.changes,
            )
            engine.set_loras([str(two)])
            assert not np.array_equal(generate(engine), plain)
            for odd in ([f"{one}\0:1"], str(one)):
                with pytest.raises(kandinsky.InvalidArgumentError, match="loras"):
                    engine.set_loras(odd)
            engine.set_loras([])
            stages.clear()
            assert_close(generate(engine), plain)
            assert stages.count("load") == 2  # the prior
            assert engine.info.changes == ""

    def test_is_read_again_once_it_was_written_again(self, model: Path, tmp_path: Path) -> None:
        pairs = matrices(model / UNET_WEIGHTS)
        opposite = {name: (down, -up) for name, (down, up) in pairs.items()}
        files = {"one.bin": pairs, "other.bin": opposite}
        for name, content in files.items():
            checkpoints.save(tmp_path / name, peft_form(content))
        one, other = (str(tmp_path / name) for name in files)
        used = tmp_path / "used.bin"
        settings = tmp_path / "adapter_config.json"

        def write(content: str, time: int) -> None:
            used.write_bytes(Path(content).read_bytes())  # in place
            os.utime(used, (time, time))

        stages: list[str] = []
        write(one, 1)
        with Engine(model, device="cpu", precision="fp32", loras=[used]) as engine:
            engine.on_progress = lambda progress: stages.append(progress.stage)
            first = generate(engine)
            changes = engine.info.changes
            write(other, 2)
            engine.set_loras([used])
            np.testing.assert_array_equal(generate(engine), image(model, loras=[other]))
            assert engine.info.changes != changes
            write(one, 3)
            engine.set_loras([f"{used}:0.5"])
            half = generate(engine)
            np.testing.assert_array_equal(half, image(model, loras=[f"{one}:0.5"]))
            engine.set_loras([used])
            np.testing.assert_array_equal(generate(engine), first)
            settings.write_text(json.dumps({"lora_alpha": 2}))  # of rank 4
            engine.set_loras([used])
            np.testing.assert_array_equal(generate(engine), half)
            stages.clear()
            engine.set_loras([used])
            generate(engine)
            assert "load" not in stages

    def test_of_the_image_encoder_counts_for_images_that_were_encoded(
        self, model: Path, tmp_path: Path
    ) -> None:
        module = "vision_model.encoder.layers.0.mlp.fc1"
        tensors = checkpoints.load(model.with_name(PRIOR) / "image_encoder/model.safetensors")
        outputs, inputs = tensors[f"{module}.weight"].shape
        pair = (torch.ones(4, inputs), torch.eye(outputs, 4))
        file = tmp_path / "lora.bin"
        checkpoints.save(file, peft_form({module: pair}))
        pixels = np.arange(20 * 20 * 3, dtype=np.uint8).reshape(20, 20, 3)
        with Engine(model, device="cpu", precision="fp32") as engine:

            def embedding() -> np.ndarray:
                return engine.encode_images([pixels]).tensor("image_embeds")

            plain = embedding()
            engine.set_loras([str(file)])
            assert not np.allclose(embedding(), plain)
            engine.set_loras([])
            assert np.array_equal(embedding(), plain)

    def test_of_streamed_weights(self, model: Path, tmp_path: Path) -> None:
        file = tmp_path / "lora.bin"
        checkpoints.save(file, peft_form(matrices(model / UNET_WEIGHTS)))
        with Engine(model, device="cpu", precision="fp32", loras=[str(file)]) as engine:
            least = engine.plan_memory(64, 64).least
        streamed = image(model, loras=[str(file)], max_memory=least)
        assert_close(streamed, image(model, loras=[str(file)]))

    def test_a_name_that_is_no_utf8(self, model: Path, tmp_path: Path) -> None:
        pairs = peft_form(matrices(model / UNET_WEIGHTS))
        odd = tmp_path / os.fsdecode(b"style \xe9\xff")
        odd.mkdir()
        checkpoints.save(odd / "lora.bin", pairs)
        checkpoints.save(tmp_path / "lora.bin", pairs)
        expected = image(model, loras=[str(tmp_path / "lora.bin")])
        assert_close(image(model, loras=[odd / "lora.bin"]), expected)
        (odd / "lora.bin").rename(odd / os.fsdecode(b"\xff.bin"))
        with Engine(model, device="cpu", loras=[odd / os.fsdecode(b"\xff.bin:0.5")]) as engine:
            assert "\ufffd.bin [" in engine.info.changes

    def test_of_another_model_names_tensor_and_shapes(self, model: Path, tmp_path: Path) -> None:
        pairs = matrices(model / UNET_WEIGHTS)
        name = next(iter(pairs))

        def refused(tensors: Tensors, *parts: str) -> None:
            checkpoints.save(tmp_path / "lora.bin", tensors)
            with pytest.raises(kandinsky.KandinskyError) as caught:
                image(model, loras=[str(tmp_path / "lora.bin")])
            for part in ("lora.bin", *parts):
                assert part in str(caught.value)

        wide = {name: (torch.ones(4, 640), torch.ones(320, 4))}
        refused(peft_form(wide), f"it changes '{name}.weight' as [320, 640], but that of", "is [")
        refused(
            peft_form({"blocks.0.qkv": pairs[name]}), "there is no weight 'blocks.0.qkv.weight'"
        )
        refused({f"{name}.lora_A.weight": torch.ones(4, 4)}, f"the up matrix for '{name}.weight'")
        refused({f"{name}.hada_w1_a": torch.ones(4, 4)}, "nothing is known of its tensor")
        unfit = {name: (torch.ones(4, 8), torch.ones(8, 5))}
        refused(peft_form(unfit), "which do not fit each other")
        nan = {name: (pairs[name][0] * float("nan"), pairs[name][1])}
        refused(peft_form(nan), "not finite numbers")
        for weight in ("strong", "nan", "-1001", "1e300"):
            with pytest.raises(kandinsky.InvalidArgumentError, match="no weight of a LoRA"):
                image(model, loras=[f"lora.bin:{weight}"])
        with pytest.raises(kandinsky.NotFoundError, match=r"nowhere\.bin"):
            image(model, loras=["nowhere.bin"])


class TestComponents:
    def test_from_file_folder_and_model(
        self, model: Path, plain: np.ndarray, tmp_path: Path
    ) -> None:
        other = merged(model / UNET_WEIGHTS, 0.8, tmp_path / "unet/diffusion_pytorch_model.bin")
        (tmp_path / "unet/config.json").write_bytes((model / "unet/config.json").read_bytes())
        expected = image(model, unet=other)
        assert not np.array_equal(expected, plain)
        np.testing.assert_array_equal(image(model, unet=tmp_path / "unet"), expected)
        copy = copy_models(model, tmp_path)
        (copy / UNET_WEIGHTS).unlink()
        (tmp_path / "unet/diffusion_pytorch_model.bin").rename(
            copy / "unet/diffusion_pytorch_model.bin"
        )
        np.testing.assert_array_equal(image(model, unet=copy), expected)
        with Engine(model, unet=copy, device="cpu") as engine:
            assert re.fullmatch(rf"unet: {MODEL} \[[0-9a-f]{{8}}\]\n", engine.info.changes)

    @pytest.mark.parametrize(
        ("option", "folder", "file"),
        [
            ("movq", MODEL, "movq/diffusion_pytorch_model.safetensors"),
            ("text_encoder", MODEL, "text_encoder/model.safetensors"),
            ("prior_model", PRIOR, "prior/diffusion_pytorch_model.safetensors"),
            ("prior_text_encoder", PRIOR, "text_encoder/model.safetensors"),
            ("image_encoder", PRIOR, "image_encoder/model.safetensors"),
        ],
    )
    def test_each_can_be_another(
        self, model: Path, plain: np.ndarray, tmp_path: Path, option: str, folder: str, file: str
    ) -> None:
        tensors = checkpoints.load(model.with_name(folder) / file)
        changed = {
            name: tensor * 1.5 if tensor.is_floating_point() and tensor.dim() > 1 else tensor
            for name, tensor in tensors.items()
        }
        checkpoints.save(tmp_path / "other.ckpt", changed)
        assert not np.array_equal(image(model, **{option: tmp_path / "other.ckpt"}), plain)

    def test_what_does_not_fit_is_named(self, model: Path, tmp_path: Path) -> None:
        def refused(error: type[Exception], *parts: str, **options: object) -> None:
            with pytest.raises(error) as caught:
                image(model, **options)
            for part in parts:
                assert part in str(caught.value)

        tensors = checkpoints.load(model / UNET_WEIGHTS)
        tensors["conv_in.weight"] = torch.ones(3, 4, 3, 3)
        checkpoints.save(tmp_path / "unet.ckpt", tensors)
        refused(
            kandinsky.CorruptFileError,
            "unet.ckpt: the weights do not fit",
            "conv_in.weight is [3, 4, 3, 3], expected [16, 4, 3, 3]",
            unet=tmp_path / "unet.ckpt",
        )
        checkpoints.save(tmp_path / "original.ckpt", {"input_blocks.0.0.weight": torch.ones(2)})
        refused(
            kandinsky.CorruptFileError,
            "original.ckpt",
            "kandinsky convert",
            unet=tmp_path / "original.ckpt",
        )
        refused(
            kandinsky.IncompatibleError,
            "is a VQModel, but the unet of",
            "is a UNet2DConditionModel",
            unet=model / "movq",
        )
        refused(kandinsky.NotFoundError, "nowhere: no such file or folder", unet="nowhere")

    def test_parameters_name_them(self, model: Path, tmp_path: Path) -> None:
        checkpoints.save(tmp_path / "mine.ckpt", checkpoints.load(model / UNET_WEIGHTS))
        lora = tmp_path / "style.bin"
        checkpoints.save(lora, peft_form(matrices(model / UNET_WEIGHTS)))
        result = run_program(
            *("txt2img", "--model", model, "--prompt", "a cat", "--steps", "1"),
            *("--prior-steps", "2", "--unet", tmp_path / "mine.ckpt", "--lora", f"{lora}:0.5"),
            *("--lora", lora, "--output", tmp_path / "x.png"),
        )
        assert result.returncode == 0, result.stderr
        text = (tmp_path / "x.png").read_bytes().decode("latin-1")
        assert re.search(r"Kandinsky unet: mine\.ckpt \[[0-9a-f]{8}\], ", text)
        assert re.search(
            r'Kandinsky loras: "style\.bin \[([0-9a-f]{8})\]: 0\.5 \+ style\.bin \[\1\]: 1", ', text
        )
