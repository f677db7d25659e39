"""What the tests of broken models share: the files of a tiny one, and how generating refuses it."""

from pathlib import Path

import pytest
from support.built import run_program

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
WEIGHTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "movq/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "../tiny-2-1-prior/prior/diffusion_pytorch_model.safetensors",
    "../tiny-2-1-prior/text_encoder/model.safetensors",
    "../tiny-2-1-prior/image_encoder/model.safetensors",
)

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


def generate(model: Path) -> None:
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
    """Generating fails with one of codes and one line with all words; the package says the same."""
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
        generate(model)
    assert f"kandinsky: {caught.value}".replace("\n", " ") == lines[0]
