"""The command line among other programs: closed and full streams, pipes, signals of writing."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.built import NATIVE_SIZE, PROGRAM, run_program

INVALID, NOT_FOUND, IO = 2, 3, 11
FEW = ("--steps=2", "--prior-steps=2", "--seed=1", "--precision=fp32", "--prompt=a red circle")


def shell(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a script of bash, where "$@" is the program and the words."""
    return subprocess.run(
        ["bash", "-c", script, "bash", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def job(model: Path, tmp_path: Path) -> list[str | Path]:
    """The words of a short job that writes x.png."""
    return ["txt2img", "--model", model, "--output", tmp_path / "x.png", *FEW]


def check_image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        assert image.size == (NATIVE_SIZE, NATIVE_SIZE)
        assert image.info["parameters"].startswith("a red circle\n")


class TestStandardError:
    @pytest.mark.parametrize(
        "script", ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" 2> >(exec true)', '"$@" 2>&- <&-']
    )
    def test_what_becomes_of_it_ends_no_job(
        self, tmp_path: Path, job: list[str | Path], script: str
    ) -> None:
        done = shell(script, *job)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{tmp_path / 'x.png'}\n"
        check_image(tmp_path / "x.png")

    @pytest.mark.parametrize("end", ["2>&-", "2>/dev/full", "2>&- >&- <&-", "2> >(exec true)"])
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("info", "/no-such-model"), NOT_FOUND),
            (("txt2img",), INVALID),
            ((), INVALID),
            (("generate",), INVALID),
            (("txt2img", "--model", "/no-such", "--prompt", "a", "--output", "a.png"), NOT_FOUND),
            (("batch", "/no-such.jsonl", "--model", "/no-such", "--output", "/no-such"), NOT_FOUND),
            (("convert", "/no-such", "--output", "/no-such"), NOT_FOUND),
            (("serve", "--model", "/no-such"), NOT_FOUND),
        ],
    )
    def test_exit_codes_stay(self, end: str, words: tuple[str, ...], code: int) -> None:
        assert shell(f'"$@" {end}', *words).returncode == code

    @pytest.mark.parametrize("end", ["2>&-", "2>/dev/full"])
    def test_batches_and_conversions_go_on_without_it(
        self, model: Path, tmp_path: Path, end: str
    ) -> None:
        jobs = tmp_path / "jobs.jsonl"
        jobs.write_text('{"prompt": "x", "num_inference_steps": 2, "prior_num_inference_steps": 2}')
        batch = ("batch", jobs, "--model", model, "--output", tmp_path / "images")
        assert shell(f'"$@" {end}', *batch).returncode == 0
        assert len(list((tmp_path / "images").glob("*.png"))) == 1
        assert shell(f'"$@" {end}', "convert", model, "--output", tmp_path / "new").returncode == 0
        assert (tmp_path / "new/model_index.json").exists()

    def test_a_reader_that_goes_away_ends_no_job(
        self, tmp_path: Path, job: list[str | Path]
    ) -> None:
        done = shell('set -o pipefail; "$@" 2>&1 >/dev/null | head -1', *job)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 1
        check_image(tmp_path / "x.png")

    def test_a_log_on_a_full_disk(self, tmp_path: Path, job: list[str | Path]) -> None:
        """The limit stands for the disk: images do not meet it, the log does."""
        log = tmp_path / "log"
        log.write_bytes(b"x" * 200_000)
        with log.open("ab") as stream:
            done = subprocess.run(
                [PROGRAM, *job],
                stderr=stream,
                timeout=120,
                check=False,
                preexec_fn=lambda: limit_files(200_000),
            )
        assert done.returncode == 0
        check_image(tmp_path / "x.png")
        assert log.stat().st_size == 200_000

    def test_no_diagnostic_gets_into_an_image(self, tmp_path: Path, job: list[str | Path]) -> None:
        """The first file that is opened would get standard error's number."""
        assert shell('"$@"', *job).returncode == 0
        whole = (tmp_path / "x.png").read_bytes()
        for closed in ("2>&-", "<&- 2>&-", "<&- >&- 2>&-"):
            (tmp_path / "x.png").unlink()
            shell(f'"$@" {closed}', *job)
            assert (tmp_path / "x.png").read_bytes() == whole
        assert list(tmp_path.iterdir()) == [tmp_path / "x.png"]

    def test_control_characters_are_shown_and_not_sent(self) -> None:
        done = run_program("info", "/no\x1b[31m\x07such\u009b2J\nfolder")
        assert done.returncode == NOT_FOUND
        assert done.stderr.startswith(
            r"kandinsky: /no\x1b[31m\x07such\x9b2J\nfolder: no such model folder"
        )
        assert done.stderr.count("\n") == 1


class TestStandardOutput:
    @pytest.mark.parametrize("end", [">&-", ">/dev/full", "| exec true; exit ${PIPESTATUS[0]}"])
    def test_images_are_saved_and_the_exit_code_tells(
        self, model: Path, tmp_path: Path, end: str
    ) -> None:
        words = ("txt2img", "--model", model, "--output", f"{tmp_path}/out/", *FEW)
        done = shell(f'"$@" {end}', *words, "--batch-size=2", "--quiet")
        assert done.returncode == IO
        assert done.stderr.startswith("kandinsky: standard output cannot be written: ")
        assert len(done.stderr.splitlines()) == 1
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["00000-1.png", "00001-2.png"]
        for name in names:
            check_image(tmp_path / "out" / name)

    @pytest.mark.parametrize("words", [("samplers",), ("schedulers",), ("--help",), ("--version",)])
    @pytest.mark.parametrize("end", [">&-", ">/dev/full"])
    def test_lists_that_cannot_be_printed(self, words: tuple[str, ...], end: str) -> None:
        done = shell(f'"$@" {end}', *words)
        assert done.returncode == IO
        assert "standard output cannot be written" in done.stderr

    def test_it_is_not_an_images_place(self, model: Path) -> None:
        done = run_program("txt2img", "--model", model, "--output", "-", *FEW)
        assert done.returncode == INVALID
        assert "images cannot be written to standard output" in done.stderr


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class TestFileSizeLimit:
    @pytest.mark.parametrize("place", ["x.png", "out/"])
    def test_no_part_stays_and_the_file_is_named(
        self, model: Path, tmp_path: Path, place: str
    ) -> None:
        done = subprocess.run(
            [PROGRAM, "txt2img", "--model", model, "--output", f"{tmp_path}/{place}", *FEW],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=lambda: limit_files(2000),
        )
        assert done.returncode == IO
        line = done.stderr.splitlines()[-1]
        assert line.startswith(f"kandinsky: {tmp_path}/{place}")
        assert "File too large" in line
        assert list(tmp_path.iterdir()) == []


def scene() -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (NATIVE_SIZE, NATIVE_SIZE, 3), dtype=np.uint8)


class TestImagesFromPipes:
    """Strength 0 and a black mask give the image back."""

    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        Image.fromarray(scene()).save(tmp_path / "image.png")
        return tmp_path / "image.png"

    def check(self, done: subprocess.CompletedProcess[str], output: Path) -> None:
        assert done.returncode == 0, done.stderr
        with Image.open(output) as generated:
            assert np.array_equal(np.asarray(generated), scene())

    @pytest.mark.parametrize(
        "script",
        [
            'cat "$IMAGE" | "$@" --image -',
            '"$@" --image - < "$IMAGE"',
            'cat "$IMAGE" | "$@" --image /dev/stdin',
            '"$@" --image <(cat "$IMAGE")',
            '(head -c 50 "$IMAGE"; sleep 0.3; tail -c +51 "$IMAGE") | "$@" --image -',
        ],
    )
    def test_image(
        self, model: Path, tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch, script: str
    ) -> None:
        monkeypatch.setenv("IMAGE", str(image))
        words = ("img2img", "--model", model, "--output", tmp_path / "x.png", *FEW, "--strength=0")
        self.check(shell(script, *words), tmp_path / "x.png")

    def test_fifos_and_a_mask(self, inpaint_model: Path, tmp_path: Path, image: Path) -> None:
        black = tmp_path / "black.png"
        Image.fromarray(np.zeros((NATIVE_SIZE, NATIVE_SIZE), np.uint8)).save(black)
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(
            target=lambda: (tmp_path / "pipe").write_bytes(image.read_bytes())
        )
        writer.start()
        words = ("inpaint", "--model", inpaint_model, "--output", tmp_path / "x.png", *FEW)
        done = subprocess.run(
            [PROGRAM, *words, "--image", tmp_path / "pipe", "--mask", "-"],
            input=black.read_bytes(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        writer.join(10)
        assert done.returncode == 0, done.stderr
        with Image.open(tmp_path / "x.png") as generated:
            assert np.array_equal(np.asarray(generated), scene())

    def refused(self, words: Sequence[str | Path], content: bytes) -> str:
        done = subprocess.run(
            [PROGRAM, *words], input=content, capture_output=True, timeout=60, check=False
        )
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1, lines
        assert 1 < done.returncode < 10, lines
        return lines[0]

    def test_what_is_no_image_is_named(self, image: Path) -> None:
        words = ("img2img", "--model", "/no-such", "--prompt=a", "--output=x.png", "--image=-")
        assert self.refused(words, b"").startswith("kandinsky: --image -: ")
        assert self.refused(words, b"nothing").startswith("kandinsky: --image -: ")
        assert self.refused(words, image.read_bytes()[:100]).startswith("kandinsky: --image -: ")

    def test_standard_input_is_read_once(self, image: Path) -> None:
        words = ("inpaint", "--model", "/no-such", "--prompt=a", "--output=x.png")
        line = self.refused((*words, "--image=-", "--mask=-"), image.read_bytes())
        assert line.startswith("kandinsky: --mask -: standard input was already read")

    def test_a_closed_standard_input(self) -> None:
        words = ("img2img", "--model", "/no-such", "--prompt=a", "--output=x.png", "--image=-")
        done = shell('"$@" <&-', *words)
        assert done.returncode == IO
        assert done.stderr.startswith("kandinsky: --image -: cannot be read: ")

    def test_ctrl_c_while_a_pipe_says_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        words = ("img2img", "--model", "/no-such", "--prompt=a", "--output=x.png", "--image")
        process = subprocess.Popen(
            [PROGRAM, *words, tmp_path / "pipe"], stderr=subprocess.PIPE, text=True
        )
        silent = open_for_writing(tmp_path / "pipe")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        os.close(silent)
        assert process.returncode == 130
        assert told == "kandinsky: stopped, nothing was saved\n"


def open_for_writing(pipe: Path) -> int:
    """Once there is a reader."""
    for _ in range(600):
        with contextlib.suppress(OSError):  # ENXIO: nobody reads
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.1)
    pytest.fail("nobody reads the pipe")
