"""Broken models and odd requests: a clear message, an exit code, no crash, no half-written file."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.built import (
    PROGRAM,
    PYTHON_DIR,
    UNET_WEIGHTS,
    copy_models,
    replace,
    run_program,
)

import kandinsky_engine as kandinsky

INVALID, NOT_FOUND, CORRUPT, UNSUPPORTED, OUT_OF_MEMORY, INCOMPATIBLE = 2, 3, 4, 5, 6, 9
IO = 11
FEW = ("--steps", "2", "--prior-steps", "2")
ERRORS = {
    INVALID: kandinsky.InvalidArgumentError,
    NOT_FOUND: kandinsky.NotFoundError,
    CORRUPT: kandinsky.CorruptFileError,
    UNSUPPORTED: kandinsky.UnsupportedError,
    INCOMPATIBLE: kandinsky.IncompatibleError,
    IO: kandinsky.IoError,
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


# Each file of the tiny model that is read.
READ = (
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "movq/config.json",
    "movq/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/sentencepiece.bpe.model",
    "tokenizer/tokenizer_config.json",
    "scheduler/scheduler_config.json",
    "ddpm_scheduler/scheduler_config.json",
    "../tiny-2-1-prior/model_index.json",
    "../tiny-2-1-prior/prior/config.json",
    "../tiny-2-1-prior/prior/diffusion_pytorch_model.safetensors",
    "../tiny-2-1-prior/text_encoder/config.json",
    "../tiny-2-1-prior/text_encoder/model.safetensors",
    "../tiny-2-1-prior/image_encoder/config.json",
    "../tiny-2-1-prior/image_encoder/model.safetensors",
    "../tiny-2-1-prior/image_processor/preprocessor_config.json",
    "../tiny-2-1-prior/tokenizer/vocab.json",
    "../tiny-2-1-prior/tokenizer/merges.txt",
    "../tiny-2-1-prior/tokenizer/tokenizer_config.json",
    "../tiny-2-1-prior/tokenizer/special_tokens_map.json",
    "../tiny-2-1-prior/scheduler/scheduler_config.json",
)


def parts_of(model: Path, path: str) -> tuple[Path, Path]:
    """The folder that info has to be asked about for a file of READ, and the file."""
    file = (model / path).resolve()
    return model.parent / file.relative_to(model.parent.resolve()).parts[0], file


class TestInfo:
    """`kandinsky info` finds what a job would find, and so does opening an engine."""

    def test_says_what_is_checked(self, model: Path) -> None:
        for folder in (model, model.with_name(f"{model.name}-prior")):
            assert all(part.is_checked for part in kandinsky.describe_folder(folder).components)
            done = run_program("info", folder)
            assert done.returncode == 0, done.stderr
            assert "checked" in done.stdout
            assert "config only" not in done.stdout

    def test_says_what_is_not(self, copy: Path) -> None:
        def add(content: bytes) -> bytes:
            return json.dumps(
                json.loads(content) | {"watermark": ["diffusers", "WatermarkImageProcessor"]}
            ).encode()

        replace(copy / "model_index.json", add)
        (copy / "watermark").mkdir()
        (copy / "watermark/config.json").write_text("{}")
        checked = {
            part.name: part.is_checked for part in kandinsky.describe_folder(copy).components
        }
        assert [name for name, is_checked in checked.items() if not is_checked] == ["watermark"]
        assert "config only" in run_program("info", copy).stdout
        (copy / "watermark/config.json").write_text("{")
        assert run_program("info", copy).returncode == CORRUPT

    @pytest.mark.parametrize("path", READ)
    def test_a_file_cut_to_100_bytes(self, copy: Path, path: str) -> None:
        folder, file = parts_of(copy, path)
        replace(file, lambda content: content[: min(100, len(content) // 2)])
        done = run_program("info", folder)
        assert done.returncode == CORRUPT, done.stderr
        assert done.stdout == ""
        # "/x/../y" is how a component's own folder may be spelled.
        assert str(file.relative_to(folder.resolve())) in done.stderr
        with pytest.raises(kandinsky.CorruptFileError, match=file.name):
            kandinsky.Engine(copy)

    @pytest.mark.parametrize("path", READ)
    def test_a_file_cut_anywhere(self, copy: Path, path: str) -> None:
        folder, file = parts_of(copy, path)
        content = file.read_bytes().rstrip()
        lengths = {0, 1, 8, len(content) - 1} | {len(content) * i // 5 for i in range(5)}
        for length in sorted(lengths):
            replace(file, lambda _, length=length: content[:length])  # type: ignore[misc]
            for read in (kandinsky.describe_folder, kandinsky.Engine):
                with pytest.raises(kandinsky.KandinskyError, match=file.name):
                    read(folder if read is kandinsky.describe_folder else copy)

    def test_weights_that_do_not_fit_their_config(self, copy: Path) -> None:
        replace(copy / "unet/config.json", lambda content: content.replace(b"96", b"32", 1))

        def drop(content: bytes) -> bytes:
            tensors = dict(load(content))
            del tensors["conv_in.weight"]
            return save(tensors)

        replace(copy / UNET_WEIGHTS, drop)
        done = run_program("info", copy)
        assert done.returncode == CORRUPT
        assert "conv_in.weight" in done.stderr


def bind_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


OTHER_KINDS: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": bind_socket,
    "a link to something that is missing": lambda path: path.symlink_to("nowhere"),
}


class TestOtherKinds:
    """Something else in a file's place is named for what it is, and nothing waits for it."""

    @pytest.mark.parametrize("kind", OTHER_KINDS)
    @pytest.mark.parametrize(
        "path",
        [
            "model_index.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "tokenizer/sentencepiece.bpe.model",
            "../tiny-2-1-prior/tokenizer/merges.txt",
            "../tiny-2-1-prior/tokenizer/vocab.json",
            "../tiny-2-1-prior/tokenizer/tokenizer_config.json",
        ],
    )
    def test_no_file(self, copy: Path, path: str, kind: str) -> None:
        folder, file = parts_of(copy, path)
        file.unlink()
        OTHER_KINDS[kind](file)
        done = run_program("info", folder, timeout=60)
        assert done.returncode in {INVALID, NOT_FOUND}, done.stderr
        assert kind in done.stderr
        assert file.name in done.stderr

    @pytest.mark.parametrize("path", READ)
    @pytest.mark.parametrize(
        ("words", "content"),
        [
            ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid x\n"),
            ("a web page", b"<!DOCTYPE html><html><body>Not found</body></html>"),
            ("a ZIP archive", b"PK\x03\x04" + bytes(100)),
            ("a Python pickle", b"\x80\x02}q\x00." + bytes(100)),
            ("is empty", b""),
        ],
    )
    def test_other_content(self, copy: Path, path: str, words: str, content: bytes) -> None:
        folder, file = parts_of(copy, path)
        replace(file, lambda _: content)
        with pytest.raises(kandinsky.CorruptFileError, match=words) as caught:
            kandinsky.describe_folder(folder)
        assert file.name in str(caught.value)


HOSTILE = [
    ("unet/config.json", "sample_size", 1_000_000),
    ("unet/config.json", "sample_size", 1 << 62),
    ("unet/config.json", "layers_per_block", 1_000_000),
    ("unet/config.json", "layers_per_block", 1000),
    ("unet/config.json", "block_out_channels", [20_000] * 4),
    ("unet/config.json", "block_out_channels", [1_000_000] * 16),
    ("unet/config.json", "cross_attention_dim", 1_000_000),
    ("movq/config.json", "layers_per_block", 1_000_000),
    ("movq/config.json", "layers_per_block", 1000),
    ("movq/config.json", "block_out_channels", [1_000_000] * 16),
    ("text_encoder/config.json", "num_hidden_layers", 1_000_000),
    ("text_encoder/config.json", "num_hidden_layers", 1000),
    ("text_encoder/config.json", "vocab_size", 1_000_000),
    ("../tiny-2-1-prior/prior/config.json", "num_layers", 1_000_000),
    ("../tiny-2-1-prior/prior/config.json", "num_layers", 1000),
    ("../tiny-2-1-prior/prior/config.json", "num_attention_heads", 1_000_000),
    ("../tiny-2-1-prior/prior/config.json", "attention_head_dim", 1_000_000),
    ("../tiny-2-1-prior/text_encoder/config.json", "num_hidden_layers", 1_000_000),
    ("../tiny-2-1-prior/image_encoder/config.json", "num_hidden_layers", 1_000_000),
    ("../tiny-2-1-prior/image_encoder/config.json", "image_size", 1_000_000),
    ("../tiny-2-1-prior/image_encoder/config.json", "patch_size", 1_000_000),
    ("../tiny-2-1-prior/image_processor/preprocessor_config.json", "image_std", [0.0, 1.0, 1.0]),
    ("../tiny-2-1-prior/image_processor/preprocessor_config.json", "image_mean", [1e300] * 3),
    ("../tiny-2-1-prior/scheduler/scheduler_config.json", "clip_sample_range", 1e300),
]


@pytest.mark.parametrize(("path", "key", "value"), HOSTILE)
def test_hostile_sizes_are_refused_at_once(copy: Path, path: str, key: str, value: object) -> None:
    """Without building what they ask for: within 2 GB of addresses, and in little time."""
    folder, file = parts_of(copy, path)
    replace(file, lambda content: json.dumps(json.loads(content) | {key: value}).encode())
    begin = time.monotonic()
    done = run_program("info", folder, timeout=60)
    assert time.monotonic() - begin < 10
    assert done.returncode in {CORRUPT, UNSUPPORTED, INCOMPATIBLE}, done.stderr
    with pytest.raises(ERRORS[done.returncode]):
        kandinsky.Engine(copy)


def test_native_size_beyond_32_bits(copy: Path) -> None:
    """A factor of 2 ** 15 makes it 2 ** 31 and more: no wrapped number may come out."""

    def many_levels(content: bytes) -> bytes:
        config = json.loads(content)
        for key in ("block_out_channels", "down_block_types", "up_block_types"):
            config[key] = [config[key][0]] * 16
        return json.dumps(config).encode()

    replace(copy / "movq/config.json", many_levels)
    done = run_program("info", copy)
    assert done.returncode == CORRUPT, done.stderr
    with pytest.raises(kandinsky.CorruptFileError):
        kandinsky.Engine(copy)


class TestChangedWhileInUse:
    """A weight file that is cut or written to after it was checked: no crash, no other image."""

    SCRIPT = """
import json, os, sys
from pathlib import Path

import numpy as np

import kandinsky_engine as kandinsky

model, change, path, length, max_memory, first_job = json.loads(sys.argv[1])


def paint(engine):
    return engine.text_to_image(
        ["a"], seeds=[1], width=64, height=64, num_inference_steps=2, prior_num_inference_steps=2
    )


with kandinsky.Engine(model, precision="fp32", max_memory=max_memory) as engine:
    before = paint(engine) if first_job else None
    file = Path(model, path)
    if change == "write":
        with file.open("r+b") as stream:
            stream.seek(length)
            stream.write(bytes(1000))
    else:
        os.truncate(file, length)
    try:
        after = paint(engine)
    except kandinsky.KandinskyError as error:
        print(type(error).__name__, error)
    else:
        print("the same" if before is not None and np.array_equal(before, after) else "another")
"""
    # Of the files' headers; their data begins later.
    LENGTHS = (0, 1000, 30_000)

    @staticmethod
    def least_memory(model: Path) -> int:
        done = run_program("info", model, "--json", "--max-memory", "9GB", "--precision", "fp32")
        return int(json.loads(done.stdout)["memory"]["least"])

    def outcome(
        self, folder: Path, model: Path, change: str, path: str, length: int, **how: object
    ) -> str:
        """Copies, since the file is written to."""
        folder.mkdir()
        for source in (model, model.with_name(f"{model.name}-prior")):
            shutil.copytree(source, folder / source.name)
        arguments = [
            *(str(folder / model.name), change, path, length),
            *(how.get("max_memory", 0), how.get("first_job", True)),
        ]
        done = subprocess.run(
            [sys.executable, "-c", self.SCRIPT, json.dumps(arguments)],
            env={**os.environ, "PYTHONPATH": str(PYTHON_DIR)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout.strip()

    @pytest.mark.parametrize("path", WEIGHTS)
    def test_cut_between_two_jobs(self, model: Path, tmp_path: Path, path: str) -> None:
        for length in self.LENGTHS:
            if length < (model / path).stat().st_size:
                told = self.outcome(tmp_path / str(length), model, "cut", path, length)
                # The words' rows are read from the file at each use, unless the prompt is known.
                assert told == "the same", told

    @pytest.mark.parametrize("path", WEIGHTS)
    @pytest.mark.parametrize(("change", "length"), [("cut", 30_000), ("write", 30_000)])
    def test_before_the_first_job(
        self, model: Path, tmp_path: Path, path: str, change: str, length: int
    ) -> None:
        told = self.outcome(tmp_path / "x", model, change, path, length, first_job=False)
        assert told.startswith("CorruptFileError "), told
        assert Path(path).parent.name in told
        assert "while it is in use" in told

    @pytest.mark.parametrize("path", [UNET_WEIGHTS, *WEIGHTS[3:4]])
    @pytest.mark.parametrize("change", ["cut", "write"])
    def test_in_the_least_memory(self, model: Path, tmp_path: Path, path: str, change: str) -> None:
        least = self.least_memory(model)
        told = self.outcome(tmp_path / "x", model, change, str(path), 30_000, max_memory=least)
        # The prior is not asked again for a prompt that it knows, and a part may still be there.
        if told != "the same":
            assert told.startswith("CorruptFileError "), told
            assert Path(path).parent.name in told
            assert "while it is in use" in told


class TestControlCharacters:
    """What a terminal would obey is quoted wherever a file of others brings it."""

    ESCAPE = "\x1b]0;owned\x07\x1b[31m\r\n"

    def assert_quoted(self, model: Path) -> None:
        for words in (
            ("info", model),
            ("txt2img", "--model", model, "--prompt", "a", "--output", "/nowhere.png", *FEW),
        ):
            done = run_program(*words)
            assert done.returncode == CORRUPT, done.stderr
            assert len(done.stderr.splitlines()) == 1
            assert "\x1b" not in done.stderr
            assert "\x07" not in done.stderr
            assert r"\x1b]0;owned\x07\x1b[31m" in done.stderr
        with pytest.raises(kandinsky.CorruptFileError) as caught:
            kandinsky.describe_folder(model)
        assert str(caught.value).isprintable()

    def test_in_the_name_of_a_tensor(self, copy: Path) -> None:
        replace(
            copy / UNET_WEIGHTS,
            lambda content: save({**load(content), self.ESCAPE: np.zeros(1, np.float32)}),
        )
        self.assert_quoted(copy)

    def test_in_the_name_of_a_class(self, copy: Path) -> None:
        def change(content: bytes) -> bytes:
            return json.dumps(json.loads(content) | {"unet": ["diffusers", self.ESCAPE]}).encode()

        replace(copy / "model_index.json", change)
        self.assert_quoted(copy)

    def test_in_the_name_of_the_pipeline(self, copy: Path) -> None:
        def change(content: bytes) -> bytes:
            return json.dumps(json.loads(content) | {"_class_name": self.ESCAPE}).encode()

        replace(copy / "model_index.json", change)
        self.assert_quoted(copy)

    def test_in_a_value_of_a_config(self, copy: Path) -> None:
        def change(content: bytes) -> bytes:
            return json.dumps(json.loads(content) | {"down_block_types": [self.ESCAPE]}).encode()

        replace(copy / "unet/config.json", change)
        done = run_program("info", copy)
        assert done.returncode == UNSUPPORTED
        assert "\x1b" not in done.stderr
        assert r"\x1b]0;owned" in done.stderr

    def test_in_the_path(self, model: Path, tmp_path: Path) -> None:
        done = run_program("info", tmp_path / "red \x1b[31m 円")
        assert done.returncode == NOT_FOUND
        assert r"red \x1b[31m 円" in done.stderr


class TestSystemErrors:
    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        pixels = np.zeros((8, 8, 3), np.uint8)
        kandinsky.save_picture(tmp_path / f"{'x' * 251}.png", pixels)
        with pytest.raises(kandinsky.IoError, match="File name too long") as caught:
            kandinsky.save_picture(tmp_path / f"{'x' * 252}.png", pixels)
        assert isinstance(caught.value, OSError)
        assert [path.name for path in tmp_path.iterdir()] == [f"{'x' * 251}.png"]

    def test_too_many_open_files(self, model: Path) -> None:
        """At any limit: an error in words, or the folder."""
        script = (
            "import resource, sys\n"
            "import kandinsky_engine as kandinsky\n"
            "for files in range(40):\n"
            "    resource.setrlimit(resource.RLIMIT_NOFILE, (files, 4096))\n"
            "    try:\n"
            "        kandinsky.Engine(sys.argv[1]).close()\n"
            "        print(files, 'opened')\n"
            "    except kandinsky.IoError as error:\n"
            "        assert 'Too many open files' in str(error), error\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, model],
            env={**os.environ, "PYTHONPATH": str(PYTHON_DIR)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "39 opened" in done.stdout


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
            *("--width", "16384", "--height", "8192", "--batch-size", "64", "--quiet"),
        )
        assert done.returncode == OUT_OF_MEMORY, done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "memory" in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_more_pixels_than_a_file_may_have(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", f"{tmp_path}/out/", "--prompt", "a", *FEW),
            *("--width", "16384", "--height", "8193", "--quiet"),
        )
        assert done.returncode == INVALID, done.stderr
        assert done.stderr.splitlines() == [
            "kandinsky: the picture: 16384 x 8193 pixels are too many, "
            "at most 65535 a side and 134217728 in all"
        ]
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
    assert done.returncode == IO
    assert done.stderr.startswith("kandinsky: standard output cannot be written: No space left")
