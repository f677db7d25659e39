"""The command line on a tiny model: images, their texts, progress, cancelling."""

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from support.built import NATIVE_SIZE, PROGRAM, ROOT, copy_models, run_program

FEW = ("--steps", "2", "--prior-steps", "2")
VERSION = re.search(
    r'(?m)^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
).group(1)  # type: ignore[union-attr]


def generate(model: Path | str, output: Path | str, *options: str) -> list[Path]:
    """Runs txt2img quietly, quickly and repeatably; options win. Returns the paths it printed."""
    words = {"--prompt": "a red circle", "--seed": "1", "--precision": "fp32"}
    words |= dict(zip(FEW[::2], FEW[1::2], strict=True))
    for option in options:
        words.pop(option.partition("=")[0], None)
    done = run_program(
        *("txt2img", "--model", model, "--output", output, "--quiet"),
        *(f"{name}={value}" for name, value in words.items()),
        *options,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [Path(line) for line in done.stdout.splitlines()]


def parameters(path: Path) -> str:
    with Image.open(path) as image:
        text = image.info["parameters"]
    assert isinstance(text, str)
    return text


class TestInfo:
    def test_table(self, model: Path) -> None:
        done = run_program("info", model)
        assert done.returncode == 0, done.stderr
        assert re.search(r"(?m)^pipeline +KandinskyPipeline$", done.stdout)
        assert re.search(r"(?m)^family +kandinsky-2-1$", done.stdout)
        assert re.search(rf"(?m)^native size +{NATIVE_SIZE} x {NATIVE_SIZE}$", done.stdout)
        assert re.search(
            r"(?m)^unet +UNet2DConditionModel +yes +fp32 +\d+ +[\d.]+ [kM] ", done.stdout
        )
        assert re.search(r"(?m)^scheduler +DDIMScheduler +yes$", done.stdout)
        assert re.search(r"(?m)^total ", done.stdout)

    def test_memory_plan(self, model: Path) -> None:
        done = run_program("info", model, "--max-memory", "8 GiB", "--precision", "fp32")
        assert done.returncode == 0, done.stderr
        assert f"memory of an image of {NATIVE_SIZE} x {NATIVE_SIZE} in fp32" in done.stdout
        assert re.search(r"(?m)^allowed +8.59 GB$", done.stdout)
        assert re.search(r"(?m)^smallest +\d+\.\d MB$", done.stdout)
        assert re.search(r"(?m)^plan +everything stays loaded", done.stdout)
        done = run_program("info", model, "--json", "--max-memory=2500mb", "--size=512x256")
        memory = json.loads(done.stdout)["memory"]
        assert (memory["width"], memory["height"], memory["budget"]) == (512, 256, 2_500_000_000)
        assert memory["least"] <= memory["peak"] <= memory["budget"]
        small = run_program(
            "info", model, "--json", "--max-memory=2500mb", "--size=512x256", "--int8-weights"
        )
        assert json.loads(small.stdout)["memory"]["peak"] < memory["peak"]

    def test_too_small_a_limit_names_the_smallest(self, model: Path, tmp_path: Path) -> None:
        generation = ("--prompt", "a red circle", "--output", tmp_path / "circle.png")
        for words in (("info", model), ("txt2img", "--model", model, *generation)):
            done = run_program(*words, "--max-memory", "10MB")
            assert done.returncode == 1 + 5, "out of memory"
            assert re.search(r"needs \d+ MB of memory at least", done.stderr.splitlines()[-1])
        assert not list(tmp_path.iterdir())

    def test_json_has_exact_numbers(self, model: Path) -> None:
        done = run_program("info", "--json", model)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["pipeline"] == "KandinskyPipeline"
        assert told["native_size"] == NATIVE_SIZE
        parts = {part["name"]: part for part in told["components"]}
        index = json.loads((model / "model_index.json").read_text(encoding="utf-8"))
        assert set(parts) == {name for name in index if not name.startswith("_")}
        for name, part in parts.items():
            assert part["class_name"] == index[name][1]
            headers = []
            for path in (model / name).glob("*.safetensors"):
                content = path.read_bytes()
                length = int.from_bytes(content[:8], "little")
                headers += [
                    tensor
                    for key, tensor in json.loads(content[8 : 8 + length]).items()
                    if key != "__metadata__"
                ]
            assert part["tensors"] == len(headers)
            size = sum(end - begin for begin, end in (header["data_offsets"] for header in headers))
            assert part["bytes"] == size
            assert part["parameters"] * 4 == size
            assert part["dtype"] == ("fp32" if headers else "")
        assert told["bytes"] == sum(part["bytes"] for part in parts.values())
        assert told["parameters"] == sum(part["parameters"] for part in parts.values())

    def test_prior_folder(self, model: Path) -> None:
        done = run_program("info", model.with_name(f"{model.name}-prior"))
        assert done.returncode == 0, done.stderr
        assert "KandinskyPriorPipeline" in done.stdout
        assert "native size" not in done.stdout


class TestImage:
    def test_whole_infotext(self, model: Path, tmp_path: Path) -> None:
        path = tmp_path / "circle.png"
        options = ("--cfg-scale", "2.5", "--prior-cfg-scale", "1", "--height", "100")
        assert generate(model, path, *options) == [path]
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.mode == "RGB"
            assert image.size == (NATIVE_SIZE, 100)
        assert parameters(path) == (
            "a red circle\n"
            "Steps: 2, Sampler: DDIM, Schedule type: Automatic, CFG scale: 2.5, Seed: 1, "
            f"Size: {NATIVE_SIZE}x100, Model: {model.name}, Kandinsky prior steps: 2, "
            "Kandinsky prior CFG scale: 1, Kandinsky precision: fp32, "
            f"Version: kandinsky {VERSION}"
        )
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("options", "lines"),
        [
            (("--prompt", 'one\ntwo: "three", 四'), ["one", 'two: "three", 四']),
            (("--prompt", "a", "--negative-prompt", "b: c"), ["a", "Negative prompt: b: c"]),
            (("--prompt", "a", "--negative-prompt", ""), ["a", "Negative prompt: "]),
            (("--prompt", "", "--negative-prompt", "b"), ["Negative prompt: b"]),
            (("--prompt", ""), []),
            (("--prompt", "{}"), ["{}"]),
            (("--prompt", "[a, b]"), ["[a, b]"]),
            (("--prompt=--steps",), ["--steps"]),
            (("--prompt", "-1 circle"), ["-1 circle"]),
        ],
    )
    def test_texts_are_kept_as_they_are(
        self, model: Path, tmp_path: Path, options: tuple[str, ...], lines: list[str]
    ) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--quiet", *FEW),
            *(*options, "--seed", "1"),
        )
        assert done.returncode == 0, done.stderr
        text = parameters(tmp_path / "x.png").split("\n")
        assert text[:-1] == lines
        assert text[-1].startswith("Steps: 2, Sampler: DDIM, ")

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("plain model (2)", "plain model (2)"),
            ("first, second: third", '"first, second: third"'),
            ('a "b"', 'a "b"'),
            ('a: "b"', '"a: \\"b\\""'),
            ("two\nlines\t", '"two\\nlines\\t"'),
            ("модель: 1", '"модель: 1"'),
        ],
    )
    def test_values_are_quoted_as_hosts_quote_them(
        self, model: Path, tmp_path: Path, name: str, shown: str
    ) -> None:
        copy = copy_models(model, tmp_path, name)
        generate(copy, tmp_path / "x.png")
        assert f", Model: {shown}, Kandinsky prior steps: " in parameters(tmp_path / "x.png")

    def test_model_is_named_whatever_the_path_looks_like(self, model: Path, tmp_path: Path) -> None:
        generate(f"{model}/", tmp_path / "x.png")
        assert f", Model: {model.name}, " in parameters(tmp_path / "x.png")

    def test_sampler_is_spelled_as_in_the_list(self, model: Path, tmp_path: Path) -> None:
        generate(model, tmp_path / "x.png", "--sampler", "ddim")
        assert ", Sampler: DDIM, " in parameters(tmp_path / "x.png")

    def test_threads_and_little_memory_generate_the_same(self, model: Path, tmp_path: Path) -> None:
        generate(model, tmp_path / "free.png", "--threads", "1")
        least = json.loads(
            run_program("info", model, "--json", "--max-memory=8GB", "--precision=fp32").stdout
        )["memory"]["least"]
        limit = f"--max-memory={least / 1e6 + 0.1:.1f}MB"
        generate(model, tmp_path / "tight.png", "--threads", "1", limit)
        with Image.open(tmp_path / "free.png") as free, Image.open(tmp_path / "tight.png") as tight:
            difference = ImageChops.difference(free, tight).getextrema()
            assert max(high for _, high in difference) <= 1, "the same but for rounding"

    def test_precision_is_obeyed_and_told(self, model: Path, tmp_path: Path) -> None:
        generate(model, tmp_path / "fp32.png")
        generate(model, tmp_path / "bf16.png", "--precision", "bf16")
        assert ", Kandinsky precision: bf16, " in parameters(tmp_path / "bf16.png")
        with Image.open(tmp_path / "fp32.png") as one, Image.open(tmp_path / "bf16.png") as two:
            assert one.tobytes() != two.tobytes()

    def test_same_words_same_image(self, model: Path, tmp_path: Path) -> None:
        generate(model, tmp_path / "one.png")
        generate(model, tmp_path / "two.png")
        assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()

    def test_random_seed_is_told_and_repeats(self, model: Path, tmp_path: Path) -> None:
        seeds = []
        for name in ("one.png", "two.png"):
            done = run_program(
                *("txt2img", "--model", model, "--output", tmp_path / name, *FEW, "--prompt", "a")
            )
            assert done.returncode == 0, done.stderr
            found = re.search(r"(?m)^kandinsky: seed (\d+), ", done.stderr)
            assert found
            seeds.append(found.group(1))
            assert f", Seed: {seeds[-1]}, " in parameters(tmp_path / name)
        assert seeds[0] != seeds[1]
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "again.png", *FEW),
            *("--prompt", "a", "--seed", seeds[0], "--quiet"),
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "one.png").read_bytes()

    def test_largest_seed(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", *FEW, "--quiet"),
            *("--prompt", "a", "--seed", str(2**64 - 1)),
        )
        assert done.returncode == 0, done.stderr
        assert f", Seed: {2**64 - 1}, " in parameters(tmp_path / "x.png")

    @pytest.mark.parametrize(
        ("name", "kind"), [("x.JPG", "JPEG"), ("x.jpeg", "JPEG"), ("x.webp", "WEBP")]
    )
    def test_other_formats(self, model: Path, tmp_path: Path, name: str, kind: str) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / name, *FEW, "--prompt", "a")
        )
        assert done.returncode == 0, done.stderr
        assert "only PNG files keep the parameters" in done.stderr
        with Image.open(tmp_path / name) as image:
            assert image.format == kind
            assert image.size == (NATIVE_SIZE, NATIVE_SIZE)

    def test_existing_file_is_replaced(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "x.png").write_text("old")
        generate(model, tmp_path / "x.png")
        assert parameters(tmp_path / "x.png").startswith("a red circle\n")

    def test_prior_is_found_beside_the_model_or_given(self, model: Path, tmp_path: Path) -> None:
        copy = copy_models(model, tmp_path, "model")
        (tmp_path / "model-prior").rename(tmp_path / "elsewhere")
        (tmp_path / "out").mkdir()
        done = run_program(
            *("txt2img", "--model", copy, "--output", tmp_path / "out", *FEW, "--prompt", "a")
        )
        assert done.returncode == 3
        assert "model-prior" in done.stderr
        generate(copy, tmp_path / "x.png", "--prior", str(tmp_path / "elsewhere"))
        generate(model, tmp_path / "y.png")
        with Image.open(tmp_path / "x.png") as one, Image.open(tmp_path / "y.png") as two:
            assert one.tobytes() == two.tobytes()


class TestBatch:
    def test_each_image_is_what_its_seed_gives_alone(self, model: Path, tmp_path: Path) -> None:
        options = ("--batch-size", "3", "--width", "70", "--negative-prompt", "blue")
        batch = generate(model, f"{tmp_path}/batch/", *options)
        assert batch == [tmp_path / f"batch/0000{i}-{i + 1}.png" for i in range(3)]
        for i, path in enumerate(batch):
            alone = tmp_path / f"{i}.png"
            done = run_program(
                *("txt2img", "--model", model, "--output", alone, *FEW, "--quiet", "--width=70"),
                *("--prompt=a red circle", "--negative-prompt=blue", f"--seed={i + 1}"),
                "--precision=fp32",
            )
            assert done.returncode == 0, done.stderr
            assert alone.read_bytes() == path.read_bytes()

    def test_a_folder_is_numbered_on(self, model: Path, tmp_path: Path) -> None:
        for name in ("00007-1.png", "notes.txt", "123-4.png", "00009.png"):
            (tmp_path / name).write_text("mine")
        first = generate(model, tmp_path, "--batch-size", "2")
        again = generate(model, f"{tmp_path}/")
        assert [path.name for path in first + again] == [
            "00008-1.png",
            "00009-2.png",
            "00010-1.png",
        ]
        assert (tmp_path / "00007-1.png").read_text() == "mine"

    def test_a_folder_is_made(self, model: Path, tmp_path: Path) -> None:
        assert generate(model, f"{tmp_path}/one/two/") == [tmp_path / "one/two/00000-1.png"]


def long_job(model: Path, output: Path | str) -> list[str | Path]:
    """A command that takes minutes."""
    return [
        *(PROGRAM, "txt2img", "--model", model, "--output", output, "--prompt", "a"),
        *("--steps", "999", "--width", "512", "--height", "512"),
    ]


def interrupt_at(stage: str, command: list[str | Path]) -> int:
    """Sends Ctrl-C when a line tells of the stage; returns the exit code."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(stage):
            break
    else:
        pytest.fail(f"it ended before {stage}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    return process.returncode


class TestProgress:
    def test_plain_lines_when_not_on_a_terminal(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, "--output", tmp_path / "x.png", *FEW, "--prompt", "a")
        )
        assert done.returncode == 0, done.stderr
        assert "\r" not in done.stderr
        assert "\x1b" not in done.stderr
        assert re.search(r"(?m)^prior +2/2 +\[=+\] [\d.]+ s/step, [\d.]+ s$", done.stderr)
        assert re.search(r"(?m)^denoise +2/2 +\[=+\] [\d.]+ s/step, [\d.]+ s$", done.stderr)
        assert re.search(r"(?m)^kandinsky: seed \d+, \w+ on \w+ \(.+\)$", done.stderr)
        assert done.stdout == f"{tmp_path / 'x.png'}\n"

    def test_a_bar_on_a_terminal(self, model: Path, tmp_path: Path) -> None:
        reader, writer = pty.openpty()
        process = subprocess.Popen(
            [
                *(PROGRAM, "txt2img", "--model", model, "--output", tmp_path / "x.png"),
                *("--steps", "5", "--prior-steps", "2", "--prompt", "a"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=writer,
        )
        os.close(writer)
        shown = b""
        while True:
            try:
                piece = os.read(reader, 4096)
            except OSError:  # how Linux tells the end of a terminal
                break
            if not piece:
                break
            shown += piece
        os.close(reader)
        assert process.wait(60) == 0
        text = shown.decode()
        frames = re.findall(r"\rdenoise +(\d)/5 +\[[= ]+\]([^\r\x1b]*)\x1b\[K", text)
        assert [int(step) for step, _ in frames] == [0, 1, 2, 3, 4, 5]
        for _, times in frames[1:-1]:
            assert re.fullmatch(r" [\d.]+ s/step, \d+:\d\d left", times)
        assert re.fullmatch(r" [\d.]+ s/step, [\d.]+ s", frames[-1][1])
        lines = [line.removesuffix("\x1b[K") for line in re.split(r"[\r\n]+", text)]
        widest = max(len(line) for line in lines if not line.startswith("kandinsky: "))
        assert widest < 80

    def test_another_size_than_the_model_was_made_for_is_told(
        self, model: Path, tmp_path: Path
    ) -> None:
        words = ("txt2img", "--model", model, *FEW, "--prompt", "a", "--output")
        done = run_program(*words, tmp_path / "x.png", "--width", "128")
        assert f"trained on images of {NATIVE_SIZE} x {NATIVE_SIZE}; 128 x 64" in done.stderr
        assert "trained on" not in run_program(*words, tmp_path / "x.png").stderr

    def test_a_cut_prompt_is_told(self, model: Path, tmp_path: Path) -> None:
        done = run_program(
            *("txt2img", "--model", model, *FEW, "--output", tmp_path / "x.png"),
            *("--prompt", "red circle " * 200),
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"(?m)^kandinsky: .* were left out\.$", done.stderr), done.stderr


class TestInterrupt:
    @pytest.mark.parametrize(
        ("number", "stage"),
        [
            *((signal.SIGINT, stage) for stage in ("seed", "text encoder", "prior")),
            (signal.SIGTERM, "seed"),
            (signal.SIGHUP, "prior"),
            (signal.SIGPIPE, "prior"),
            (signal.SIGXCPU, "prior"),
        ],
    )
    def test_a_signal_ends_it_cleanly(
        self, model: Path, tmp_path: Path, number: signal.Signals, stage: str
    ) -> None:
        process = subprocess.Popen(
            long_job(model, f"{tmp_path}/out/"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # nohup, under which the tests may run, has it ignored
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
        )
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if stage in line:
                break
        else:
            pytest.fail("".join(seen))
        process.send_signal(number)
        started = time.monotonic()
        stdout, rest = process.communicate(timeout=60)
        assert process.returncode == 128 + number, rest
        assert time.monotonic() - started < 30
        assert stdout == ""
        assert rest.splitlines()[-1] == "kandinsky: stopped, nothing was saved"
        assert list(tmp_path.iterdir()) == []

    def test_a_signal_after_reading_an_image(self, model: Path, tmp_path: Path) -> None:
        """Libraries that read images of this size start threads of their own."""
        Image.new("RGB", (1024, 1024), "red").save(tmp_path / "source.png")
        command = long_job(model, f"{tmp_path}/out/")
        command[1:2] = ["img2img", "--image", tmp_path / "source.png"]
        assert interrupt_at("denoise", command) == 130
        assert list(tmp_path.iterdir()) == [tmp_path / "source.png"]

    def test_a_second_signal_ends_it_at_once(self, model: Path, tmp_path: Path) -> None:
        """The first one waits for the end of a step."""
        process = subprocess.Popen(
            long_job(model, tmp_path / "x.png"), stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("prior"):
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM

    def test_an_existing_file_survives(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "x.png").write_text("old")
        assert interrupt_at("prior", long_job(model, tmp_path / "x.png")) == 130
        assert (tmp_path / "x.png").read_text() == "old"
        assert list(tmp_path.iterdir()) == [tmp_path / "x.png"]

    def test_an_ignored_signal_stays_ignored(self, model: Path, tmp_path: Path) -> None:
        """As shells set it for what runs in the background of a script."""
        process = subprocess.Popen(
            [
                *(PROGRAM, "txt2img", "--model", model, "--output", tmp_path / "x.png"),
                *("--steps", "20", "--prompt", "a"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("prior"):
                break
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0, rest
        assert (tmp_path / "x.png").exists()
