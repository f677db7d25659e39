"""Odd requests to a sound model: a clear message, an exit code, no half-written file."""

from pathlib import Path

import numpy as np
import pytest
from support.broken_models import FEW, INVALID, OUT_OF_MEMORY, UNSUPPORTED
from support.built import run_program

import kandinsky_engine as kandinsky


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
            "kandinsky: the image: 16384 x 8193 pixels are too many, "
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
        """Hosts generate it, and so does the reference."""
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
