"""Models of which something is missing, or something else stands in a file's place."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.broken_models import (
    INVALID,
    NOT_FOUND,
    READ,
    UNSUPPORTED,
    assert_refused,
    parts_of,
)
from support.built import UNET_WEIGHTS, replace, run_program

import kandinsky_engine as kandinsky


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

    def test_weights_under_another_name(self, copy: Path, tmp_path: Path) -> None:
        (copy / UNET_WEIGHTS).rename(copy / "unet/decoder_fp16.ckpt")
        assert_refused(copy, tmp_path / "out", {UNSUPPORTED}, "unet", "decoder_fp16.ckpt")


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
