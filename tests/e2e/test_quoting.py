"""What files of others bring reaches no terminal as it is."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from support.broken_models import CORRUPT, FEW, NOT_FOUND, UNSUPPORTED
from support.built import UNET_WEIGHTS, replace, run_program

import kandinsky_engine as kandinsky


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
