"""Weight files that are broken, or that do not fit their config."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.broken_models import (
    CORRUPT,
    INCOMPATIBLE,
    NOT_FOUND,
    UNSUPPORTED,
    WEIGHTS,
    assert_refused,
)
from support.built import UNET_WEIGHTS, replace


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
