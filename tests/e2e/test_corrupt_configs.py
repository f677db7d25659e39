"""Configs and tokenizers that are broken, odd, or ask for too much."""

import json
import time
from pathlib import Path

import pytest
from support.broken_models import (
    CORRUPT,
    ERRORS,
    INCOMPATIBLE,
    INVALID,
    NOT_FOUND,
    UNSUPPORTED,
    assert_refused,
    parts_of,
)
from support.built import replace, run_program

import kandinsky_engine as kandinsky


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
