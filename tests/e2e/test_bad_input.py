"""Broken models and odd requests: a clear message, an exit code, no crash, no half-written file."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.built import PROGRAM, UNET_WEIGHTS, copy_models, replace, run_program

import kandinsky_engine as kandinsky

OTHER, INVALID, NOT_FOUND, CORRUPT, UNSUPPORTED, OUT_OF_MEMORY, INCOMPATIBLE = 1, 2, 3, 4, 5, 6, 9
FEW = ("--steps", "2", "--prior-steps", "2")
ERRORS = {
    INVALID: kandinsky.InvalidArgumentError,
    NOT_FOUND: kandinsky.NotFoundError,
    CORRUPT: kandinsky.CorruptFileError,
    UNSUPPORTED: kandinsky.UnsupportedError,
    INCOMPATIBLE: kandinsky.IncompatibleError,
}


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A model that a test may break, and its prior beside it."""
    (tmp_path / "models").mkdir()
    return copy_models(model, tmp_path / "models")


def paint(model: Path) -> None:
    """What the command line does, in Python."""
    with kandinsky.Engine(model) as engine:
        engine.text_to_image(
            ["a"],
            seeds=[1],
            width=64,
            height=64,
            num_inference_steps=2,
            prior_num_inference_steps=2,
        )


def assert_refused(model: Path, out: Path, codes: set[int], *words: str) -> None:
    """Painting fails with one of codes and one line with all words; the package says the same."""
    out.mkdir()
    done = run_program(
        *("txt2img", "--model", model, "--output", out / "x.png", "--prompt", "a", *FEW),
        *("--quiet", "--seed", "1"),
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("kandinsky: ")
    assert done.returncode in codes, lines[0]
    for word in words:
        assert word in lines[0]
    assert done.stdout == ""
    assert list(out.iterdir()) == []

    with pytest.raises(ERRORS[done.returncode]) as caught:
        paint(model)
    assert f"kandinsky: {caught.value}".replace("\n", " ") == lines[0]


class TestMissing:
    def test_folder(self, tmp_path: Path) -> None:
        assert_refused(tmp_path / "none", tmp_path / "out", {NOT_FOUND}, str(tmp_path / "none"))

    def test_file_instead_of_folder(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_text("")
        assert_refused(tmp_path / "model", tmp_path / "out", {INVALID, NOT_FOUND}, "model")

    def test_prior(self, copy: Path, tmp_path: Path) -> None:
        shutil.rmtree(copy.with_name(f"{copy.name}-prior"))
        assert_refused(copy, tmp_path / "out", {NOT_FOUND}, f"{copy.name}-prior")

    @pytest.mark.parametrize(
        "name",
        [
            "model_index.json",
            "unet",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "movq",
            "movq/config.json",
            "movq/diffusion_pytorch_model.safetensors",
            "text_encoder",
            "text_encoder/model.safetensors",
            "tokenizer/sentencepiece.bpe.model",
            "scheduler",
            "../tiny-2-1-prior/model_index.json",
            "../tiny-2-1-prior/prior",
            "../tiny-2-1-prior/prior/diffusion_pytorch_model.safetensors",
            "../tiny-2-1-prior/image_encoder/model.safetensors",
            "../tiny-2-1-prior/text_encoder/config.json",
            "../tiny-2-1-prior/tokenizer/vocab.json",
            "../tiny-2-1-prior/tokenizer/merges.txt",
        ],
    )
    def test_component_or_file(self, copy: Path, tmp_path: Path, name: str) -> None:
        path = copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        parts = [part for part in path.relative_to(copy.parent).parts if part != ".."]
        component = parts[1] if len(parts) > 1 else parts[0]
        assert_refused(copy, tmp_path / "out", {NOT_FOUND}, component)

    def test_only_pickles(self, copy: Path, tmp_path: Path) -> None:
        (copy / UNET_WEIGHTS).rename(copy / "unet/diffusion_pytorch_model.bin")
        assert_refused(copy, tmp_path / "out", {UNSUPPORTED}, "unet", ".bin")


def header_and_data(content: bytes) -> tuple[dict[str, dict[str, object]], bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(content: bytes, change: Callable[[dict[str, dict[str, object]]], None]) -> bytes:
    header, data = header_and_data(content)
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def move_first_tensor(header: dict[str, dict[str, object]]) -> None:
    first = next(name for name in header if name != "__metadata__")
    header[first]["data_offsets"] = [1 << 40, (1 << 40) + 4]


def lie_about_shape(header: dict[str, dict[str, object]]) -> None:
    first = next(name for name in header if name != "__metadata__")
    header[first]["shape"] = [1 << 62, 8]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "four bytes": lambda content: content[:4],
    "header cut": lambda content: content[:100],
    "data cut by one byte": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "data longer": lambda content: content + bytes(64),
    "huge header": lambda content: (1 << 62).to_bytes(8, "little") + content[8:],
    "header past the end": lambda content: len(content).to_bytes(8, "little") + content[8:],
    "no JSON": lambda content: content[:8] + b"#" + content[9:],
    "offsets past the end": lambda content: with_header(content, move_first_tensor),
    "shape that overflows": lambda content: with_header(content, lie_about_shape),
    "zeros": lambda content: bytes(len(content)),
    "a web page": lambda content: b"<!DOCTYPE html><html><body>Not found</body></html>" * 20,
    "an unfetched large file": lambda content: (
        b"version https://git-lfs.github.com/spec/v1\noid x\n"
    ),
}
WEIGHTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "movq/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "../tiny-2-1-prior/prior/diffusion_pytorch_model.safetensors",
    "../tiny-2-1-prior/text_encoder/model.safetensors",
    "../tiny-2-1-prior/image_encoder/model.safetensors",
)


class TestCorruptWeights:
    @pytest.mark.parametrize("name", BROKEN)
    def test_each_kind(self, copy: Path, tmp_path: Path, name: str) -> None:
        replace(copy / UNET_WEIGHTS, BROKEN[name])
        assert_refused(copy, tmp_path / "out", {CORRUPT}, str(copy / UNET_WEIGHTS))

    @pytest.mark.parametrize("path", WEIGHTS)
    def test_each_component(self, copy: Path, tmp_path: Path, path: str) -> None:
        replace(copy / path, BROKEN["half"])
        assert_refused(copy, tmp_path / "out", {CORRUPT}, Path(path).name)

    @pytest.mark.parametrize("path", WEIGHTS)
    def test_not_a_number(self, copy: Path, tmp_path: Path, path: str) -> None:
        """One NaN in the middle of each tensor, as a bad merge leaves them."""

        def poison(content: bytes) -> bytes:
            tensors = {name: tensor.copy() for name, tensor in load(content).items()}
            for tensor in tensors.values():
                if tensor.dtype == np.float32:
                    tensor.reshape(-1)[tensor.size // 2] = np.nan
            return save(tensors)

        replace(copy / path, poison)
        component = Path(path).parent.name
        assert_refused(copy, tmp_path / "out", {CORRUPT}, component)

    @pytest.mark.parametrize("path", WEIGHTS)
    def test_infinite(self, copy: Path, tmp_path: Path, path: str) -> None:
        def poison(content: bytes) -> bytes:
            tensors = {name: tensor.copy() for name, tensor in load(content).items()}
            for tensor in tensors.values():
                if tensor.dtype == np.float32:
                    tensor.reshape(-1)[0] = np.inf
            return save(tensors)

        replace(copy / path, poison)
        assert_refused(copy, tmp_path / "out", {CORRUPT}, Path(path).parent.name)

    def test_wrong_shape(self, copy: Path, tmp_path: Path) -> None:
        def change(content: bytes) -> bytes:
            tensors = dict(load(content))
            tensors["conv_in.weight"] = np.ascontiguousarray(tensors["conv_in.weight"][:, :3])
            return save(tensors)

        replace(copy / UNET_WEIGHTS, change)
        assert_refused(copy, tmp_path / "out", {CORRUPT, INCOMPATIBLE}, "conv_in.weight", "3")

    def test_wrong_rank(self, copy: Path, tmp_path: Path) -> None:
        def change(content: bytes) -> bytes:
            tensors = dict(load(content))
            tensors["conv_in.weight"] = tensors["conv_in.weight"].reshape(-1)
            return save(tensors)

        replace(copy / UNET_WEIGHTS, change)
        assert_refused(copy, tmp_path / "out", {CORRUPT, INCOMPATIBLE}, "conv_in.weight")

    def test_missing_and_unknown_tensor(self, copy: Path, tmp_path: Path) -> None:
        def change(content: bytes) -> bytes:
            tensors = dict(load(content))
            tensors["conv_inn.weight"] = tensors.pop("conv_in.weight")
            return save(tensors)

        replace(copy / UNET_WEIGHTS, change)
        codes = {NOT_FOUND, CORRUPT, INCOMPATIBLE}
        assert_refused(copy, tmp_path / "out", codes, "conv_in.weight")

    def test_weights_of_another_component(self, copy: Path, tmp_path: Path) -> None:
        movq = (copy / "movq/diffusion_pytorch_model.safetensors").read_bytes()
        replace(copy / UNET_WEIGHTS, lambda _: movq)
        assert_refused(copy, tmp_path / "out", {NOT_FOUND, CORRUPT, INCOMPATIBLE}, "unet")

    def test_integer_weights(self, copy: Path, tmp_path: Path) -> None:
        def change(content: bytes) -> bytes:
            return save({name: value.astype(np.int8) for name, value in load(content).items()})

        replace(copy / UNET_WEIGHTS, change)
        assert_refused(copy, tmp_path / "out", {UNSUPPORTED}, "unet", "I8")


class TestCorruptText:
    @pytest.mark.parametrize(
        "path",
        [
            "model_index.json",
            "unet/config.json",
            "movq/config.json",
            "text_encoder/config.json",
            "scheduler/scheduler_config.json",
            "../tiny-2-1-prior/model_index.json",
            "../tiny-2-1-prior/prior/config.json",
            "../tiny-2-1-prior/image_encoder/config.json",
            "../tiny-2-1-prior/scheduler/scheduler_config.json",
            "../tiny-2-1-prior/tokenizer/vocab.json",
        ],
    )
    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[1, 2]", b"\xff\xfe{}", b'{"a": 1e999}', b"[" * 100_000]
    )
    def test_json(self, copy: Path, tmp_path: Path, path: str, content: bytes) -> None:
        replace(copy / path, lambda _: content)
        codes = {NOT_FOUND, CORRUPT, UNSUPPORTED, INCOMPATIBLE}
        assert_refused(copy, tmp_path / "out", codes, Path(path).name.split(".")[0])

    @pytest.mark.parametrize(
        ("path", "key", "value"),
        [
            ("unet/config.json", "in_channels", 0),
            ("unet/config.json", "in_channels", -4),
            ("unet/config.json", "in_channels", "four"),
            ("unet/config.json", "block_out_channels", []),
            ("unet/config.json", "block_out_channels", [1 << 40] * 4),
            ("unet/config.json", "layers_per_block", 1 << 30),
            ("unet/config.json", "attention_head_dim", 0),
            ("unet/config.json", "norm_num_groups", 0),
            ("unet/config.json", "norm_num_groups", 7),
            ("unet/config.json", "act_fn", "magic"),
            ("unet/config.json", "sample_size", 0),
            ("movq/config.json", "block_out_channels", [0, 0]),
            ("movq/config.json", "latent_channels", 1 << 31),
            ("movq/config.json", "vq_embed_dim", 5),
            ("unet/config.json", "out_channels", 5),
            ("movq/config.json", "norm_type", "batch"),
            ("text_encoder/config.json", "num_attention_heads", 0),
            ("text_encoder/config.json", "num_hidden_layers", -1),
            ("text_encoder/config.json", "vocab_size", 1),
            ("text_encoder/config.json", "pad_token_id", 600),
            ("text_encoder/config.json", "pad_token_id", -2),
            ("text_encoder/config.json", "max_position_embeddings", 40),
            ("scheduler/scheduler_config.json", "num_train_timesteps", 0),
            ("scheduler/scheduler_config.json", "num_train_timesteps", 1 << 40),
            ("scheduler/scheduler_config.json", "beta_start", "low"),
            ("scheduler/scheduler_config.json", "beta_schedule", "magic"),
            ("../tiny-2-1-prior/prior/config.json", "num_attention_heads", 0),
            ("../tiny-2-1-prior/prior/config.json", "num_layers", 1 << 30),
            ("../tiny-2-1-prior/prior/config.json", "num_embeddings", 50),
            ("../tiny-2-1-prior/text_encoder/config.json", "max_position_embeddings", 50),
            ("../tiny-2-1-prior/prior/config.json", "embedding_dim", 0),
            ("../tiny-2-1-prior/text_encoder/config.json", "hidden_act", "magic"),
            ("../tiny-2-1-prior/image_encoder/config.json", "image_size", 0),
            ("../tiny-2-1-prior/image_encoder/config.json", "patch_size", 0),
        ],
    )
    def test_config_values(
        self, copy: Path, tmp_path: Path, path: str, key: str, value: object
    ) -> None:
        def change(content: bytes) -> bytes:
            config = json.loads(content)
            assert key in config
            return json.dumps({**config, key: value}).encode()

        replace(copy / path, change)
        codes = {INVALID, NOT_FOUND, CORRUPT, UNSUPPORTED, INCOMPATIBLE}
        assert_refused(copy, tmp_path / "out", codes)

    @pytest.mark.parametrize(
        "path",
        [
            "tokenizer/sentencepiece.bpe.model",
            "../tiny-2-1-prior/tokenizer/merges.txt",
        ],
    )
    @pytest.mark.parametrize("content", [b"", b"\xff" * 1000, bytes(1000)])
    def test_tokenizer_files(self, copy: Path, tmp_path: Path, path: str, content: bytes) -> None:
        replace(copy / path, lambda _: content)
        assert_refused(copy, tmp_path / "out", {CORRUPT, NOT_FOUND, INCOMPATIBLE}, Path(path).name)

    def test_another_pipeline(self, copy: Path, tmp_path: Path) -> None:
        text = b'{"_class_name": "PotteryPipeline", "kiln": ["pottery", "Kiln"]}'
        replace(copy / "model_index.json", lambda _: text)
        assert_refused(copy, tmp_path / "out", {UNSUPPORTED}, "PotteryPipeline")

    def test_the_prior_in_the_place_of_the_model(self, copy: Path, tmp_path: Path) -> None:
        prior = copy.with_name(f"{copy.name}-prior")
        assert_refused(prior, tmp_path / "out", {INVALID}, "is a prior folder")

    def test_the_model_in_the_place_of_the_prior(self, copy: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", copy, "--prior", copy, "--prompt", "a"),
            *("--output", tmp_path / "x.png", "--quiet"),
        )
        assert done.returncode in {UNSUPPORTED, INCOMPATIBLE}, done.stderr
        assert "KandinskyPipeline" in done.stderr
        assert not (tmp_path / "x.png").exists()

    def test_components_outside_of_the_folder(self, copy: Path, tmp_path: Path) -> None:
        index = json.loads((copy / "model_index.json").read_text(encoding="utf-8"))
        index["../../../etc"] = ["diffusers", "UNet2DConditionModel"]
        replace(copy / "model_index.json", lambda _: json.dumps(index).encode())
        assert_refused(copy, tmp_path / "out", {CORRUPT}, "model_index.json")


def test_info_says_the_same_as_painting(copy: Path) -> None:
    replace(copy / UNET_WEIGHTS, BROKEN["half"])
    for words in (("info",), ("info", "--json")):
        done = run_program(*words, copy)
        assert done.returncode == CORRUPT
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert str(copy / UNET_WEIGHTS) in done.stderr


class TestRequests:
    """Odd requests to a sound model."""

    @pytest.mark.parametrize("steps", ["1", "999"])
    def test_fewest_and_most_steps(self, model: Path, tmp_path: Path, steps: str) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "a"),
            *("--steps", steps, "--prior-steps", "2", "--cfg-scale", "1", "--quiet"),
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "x.png").exists()

    @pytest.mark.parametrize("steps", ["0", "1000", "5000"])
    def test_steps_out_of_range(self, model: Path, tmp_path: Path, steps: str) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "a"),
            *("--steps", steps, "--quiet"),
        )
        assert done.returncode == INVALID
        assert len(done.stderr.splitlines()) == 1
        assert steps in done.stderr
        assert "1 to " in done.stderr
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("option", ["--width", "--height"])
    def test_size_zero(self, model: Path, tmp_path: Path, option: str) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "a"),
            *(option, "0"),
        )
        assert done.returncode == INVALID
        assert done.stderr.startswith(f"kandinsky: {option}: 0 is out of range")
        assert list(tmp_path.iterdir()) == []

    def test_size_one(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "a", *FEW),
            *("--width", "1", "--height", "1", "--quiet"),
        )
        assert done.returncode == 0, done.stderr

    def test_more_pixels_than_memory(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", f"{tmp_path}/out/", "--prompt", "a", *FEW),
            *("--width", "16384", "--height", "16384", "--batch-size", "64", "--quiet"),
        )
        assert done.returncode == OUT_OF_MEMORY, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "memory" in done.stderr
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "codes", "word"),
        [
            (("--precision", "fp8"), {INVALID}, "fp8"),
            (("--precision", "fp16", "--device", "cpu"), {UNSUPPORTED}, "fp16"),
            (("--device", "abacus"), {INVALID}, "abacus"),
            (("--device", "cuda:99"), {INVALID, UNSUPPORTED}, "cuda:99"),
        ],
    )
    def test_devices(
        self, model: Path, tmp_path: Path, options: tuple[str, ...], codes: set[int], word: str
    ) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "a"),
            *options,
        )
        assert done.returncode in codes, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert word in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_empty_prompt(self, model: Path, tmp_path: Path) -> None:
        """Hosts paint it, and so does the reference."""
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt", "", *FEW)
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "x.png").exists()

    @pytest.mark.parametrize("word", ["word", "слово", "x", "円", "  \n\t", "😀"])
    def test_hundred_thousand_words(self, model: Path, word: str) -> None:
        """More than one argument of a program may hold. It is cut, and that is said."""
        messages: list[str] = []
        with kandinsky.Engine(model) as engine:
            engine.on_message = messages.append
            embeds, _ = engine.encode_prompts(
                [" ".join([word] * 100_000)],
                [" ".join([word] * 100_000)],
                seeds=[1],
                prior_num_inference_steps=2,
            )
            assert np.isfinite(embeds.tensor("image_embeds")).all()
        if word.strip():
            assert len(messages) == 2
            assert all("were left out" in message for message in messages), messages

    def test_too_long_a_prompt_is_refused(self, model: Path) -> None:
        with (
            kandinsky.Engine(model) as engine,
            pytest.raises(kandinsky.InvalidArgumentError, match=r"(?i)prompt|text"),
        ):
            engine.encode_prompts(["word " * 10_000_000], seeds=[1])


def test_output_that_cannot_be_written(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "info", model], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == OTHER
    assert done.stderr == "kandinsky: standard output could not be written\n"
