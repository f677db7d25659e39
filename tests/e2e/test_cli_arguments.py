"""The command line's words: help, numbers, output places. Nothing here opens a model."""

import os
import re
from pathlib import Path

import pytest
from support.built import run_program
from support.flags import flag

import kandinsky_engine as kandinsky

INVALID, NOT_FOUND, IO = 2, 3, 11
GENERATE = ("txt2img", "--model", "no-such-model", "--prompt", "a red circle")


# Before an option's name in the help, in old and new versions of CLI11.
INDENT = "(?: {2}| {10})"


def refused(code: int, *arguments: str | bytes | Path) -> str:
    """The one line that the program ends with."""
    done = run_program(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("kandinsky: ")
    return lines[0]


def flags(operation: str, *groups: str) -> set[str]:
    """Of the options of which one word is one value, or some known names."""
    found = set()
    for option in kandinsky.options(operation):
        is_list = option.type in ("texts", "paths", "seeds", "floats", "images", "conditions")
        if (not is_list or option.words) and (not groups or option.group in groups):
            found.add(flag(option))
    return found


COMMON = {
    *("--threads", "--prompt", "--negative-prompt", "--negative-prior-prompt", "--seed"),
    *("--batch-size", "--variation-seed", "--output", "--save-embeds", "--quiet"),
    *("--prior-image", "--hint", "--lora", "--companion-dir"),
    *flags("engine"),
    *flags("text_to_image"),
}
IMAGE = {"--image", *flags("image_to_image", "Image")}
MASK = {"--mask", *flags("image_to_image", "Mask")}
MIX = {"--text", "--embeds", "--weight", "--slerp", "--init-image"}
COMMANDS = {
    "txt2img": COMMON,
    "img2img": COMMON | IMAGE,
    "inpaint": COMMON | IMAGE | MASK,
    "mix": COMMON | IMAGE | MASK | MIX,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_an_example(command: str) -> None:
    done = run_program(command, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    listed = set(re.findall(rf"(?m)^{INDENT}(--[a-z0-9-]+)", done.stdout))
    assert listed == COMMANDS[command]
    assert f"kandinsky {command} --model models/" in done.stdout
    for names in ("samplers", "schedulers"):
        for line in run_program(names).stdout.splitlines():
            assert line.split("  ")[0] in done.stdout


@pytest.mark.parametrize(
    ("option", "default", "values"),
    [
        ("--steps", "50", "(1 to 1000 steps)"),
        ("--cfg-scale", "4", "(0 to 100)"),
        ("--cfg-rescale", "0", "(0 to 1)"),
        ("--strength", "0.75", "(0 to 1)"),
        ("--resize", "stretch", "One of: stretch, crop, fill"),
        ("--sampler", "Automatic", "One of: Automatic, DDIM"),
        ("--seed-resize", "", "(1x1 to 16384x16384)"),
        ("--max-memory", "", "Such as 3GB"),
        ("--threads", "", "(1 to 1024)"),
    ],
)
def test_help_tells_defaults_and_ranges(option: str, default: str, values: str) -> None:
    text = run_program("img2img", "--help").stdout
    [described] = re.findall(rf"(?ms)^{INDENT}({option} .*?)(?=^{INDENT}--|^$)", text)
    described = " ".join(described.split())
    # As CLI11 writes it, before and since 2.2.
    shown = re.escape(default)
    assert re.match(rf"{option} \w+(={shown}| \[{shown}\]|) ", described)
    assert values in described


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--plain-prompt", "Prompts are plain text. Default: (word), (word:1.3)"),
        ("--no-erosion", "Keep all latents outside the mask. Default: Keep only latents"),
        ("--no-composite", "Use the decoded pixels. Default: Outside the mask"),
    ],
)
def test_a_flag_that_turns_off_tells_what_happens_then(flag: str, text: str) -> None:
    shown = " ".join(run_program("inpaint", "--help").stdout.split())
    assert f"{flag} {text}" in shown
    off = [o for o in kandinsky.options("image_to_image") if o.default == "true"]
    assert all("; off: " in option.help for option in off)


def test_top_level_help_explains_exit_codes() -> None:
    done = run_program("--help")
    assert done.returncode == 0
    codes = ("129", "130", "141", "143", "152")
    for word in (*COMMANDS, "info", "samplers", "schedulers", "Exit codes", *codes):
        assert word in done.stdout


def test_version_names_both_libraries() -> None:
    import torch  # noqa: PLC0415  (here, so that the other tests do not pay for it)

    done = run_program("--version")
    assert done.returncode == 0
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    version = pyproject.split('\nversion = "')[1].split('"')[0]
    assert done.stdout == f"kandinsky {version} (LibTorch {torch.__version__.split('+')[0]})\n"


def test_samplers_and_schedulers_are_listed_one_by_line() -> None:
    for command, known in (
        ("samplers", kandinsky.samplers()),
        ("schedulers", kandinsky.schedulers()),
    ):
        lines = run_program(command).stdout.splitlines()
        assert [re.split(" {2,}", line) for line in lines] == [[*row] for row in known.items()]


def test_no_command_shows_help_and_fails() -> None:
    done = run_program()
    assert done.returncode == INVALID
    assert "txt2img" in done.stderr
    assert done.stderr.splitlines()[-1] == "kandinsky: a command is needed, such as txt2img"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("generate",), ("generate",)),
        (("txt2img", "--model", "x", "--output", "x.png"), ("--prompt", "required")),
        (("txt2img", "--model"), ("--model",)),
        ((*GENERATE, "--output", "a.png", "--shape", "round"), ("--shape",)),
        (("info",), ("DIR", "required")),
        ((*GENERATE, "--output", "a.png", "--output", "b.png"), ("--output",)),
        ((*GENERATE, "blue", "--output", "a.png"), ("blue",)),
        (("img2img", "--model", "x", "--prompt", "a", "--output", "a.png"), ("--image",)),
        (("inpaint", *GENERATE[1:], "--image", "a.png", "--output", "a.png"), ("--mask",)),
        (
            ("mix", "--model", "x", "--text", "a", "--mask", "m.png", "--output", "a.png"),
            ("--init",),
        ),
        (("mix", *GENERATE[1:], "--output", "a.png", "--text", "a", "--weight"), ("--weight",)),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    line = refused(INVALID, *arguments)
    for word in words:
        assert word in line
    assert "--help" in line


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--steps", "0", "from 1 to 1000"),
        ("--steps", "5000", "from 1 to 1000"),
        ("--steps", "-3", "from 1 to 1000"),
        ("--steps", "ten", "not a whole number"),
        ("--steps", "2.5", "not a whole number"),
        ("--steps", "", "not a whole number"),
        ("--steps", "1e2", "not a whole number"),
        ("--steps", "99999999999999999999", "too large"),
        ("--prior-steps", "1", "from 2 to 1000"),
        ("--width", "0", "from 1 to 16384"),
        ("--width", "-64", "from 1 to 16384"),
        ("--height", "16385", "from 1 to 16384"),
        ("--height", "4294967360", "from 1 to 16384"),
        ("--cfg-scale", "nan", "not a finite number"),
        ("--cfg-scale", "inf", "not a finite number"),
        ("--cfg-scale", "-1", "from 0 to 100"),
        ("--cfg-scale", "4,5", "not a number"),
        ("--prior-cfg-scale", "100.5", "from 0 to 100"),
        ("--batch-size", "0", "from 1 to"),
        ("--batch-size", "100000", "from 1 to"),
        ("--seed", "lucky", "not a seed"),
        ("--seed", "-2", "not a seed"),
        ("--seed", "18446744073709551616", "too large"),
        ("--sampler", "Euler z", "DDIM"),
        ("--sampler", "", "DDIM"),
        ("--scheduler", "Bus", "Automatic"),
        ("--cfg-rescale", "1.1", "from 0 to 1"),
        ("--guidance-start", "-0.1", "from 0 to 1"),
        ("--guidance-end", "nan", "not a finite number"),
        ("--negative-image", "black", "zero, prior"),
        ("--variation-strength", "2", "from 0 to 1"),
        ("--seed-resize", "512", "640x480"),
        ("--seed-resize", "512x", "not a whole number"),
        ("--seed-resize", "0x512", "from 1 to 16384"),
        ("--seed-resize", "1x2x3", "not a whole number"),
        ("--precision", "fp8", "fp32, bf16, fp16"),
        ("--max-memory", "3", "not a size of memory such as 3GB"),
        ("--max-memory", "GB", "not a size of memory"),
        ("--max-memory", "", "not a size of memory"),
        ("--max-memory", "3 parsecs", "not a size of memory"),
        ("--max-memory", "1.2.3GB", "not a number"),
        ("--max-memory", "-1GB", "above 0"),
        ("--max-memory", "0GB", "above 0"),
        ("--max-memory", "1e9GB", "above 0 and up to"),
        ("--threads", "0", "from 1 to 1024"),
        ("--threads", "many", "not a whole number"),
    ],
)
def test_bad_values_name_the_option(option: str, value: str, reason: str) -> None:
    line = refused(INVALID, *GENERATE, "--output", "image.png", option, value)
    assert line.startswith(f"kandinsky: {option}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--strength", "1.5", "from 0 to 1"),
        ("--strength", "1e30", "from 0 to 1"),
        ("--resize", "shrink", "stretch, crop, fill"),
        ("--mask-blur", "65", "from 0 to 64"),
        ("--mask-blur", "4.5", "not a whole number"),
        ("--mask-fill", "red", "original, fill, latent noise, latent nothing"),
        ("--mask-method", "magic", "auto, model, blend"),
    ],
)
def test_bad_values_about_images_name_the_option(option: str, value: str, reason: str) -> None:
    words = ("inpaint", *GENERATE[1:], "--image", "a.png", "--mask", "b.png", "--output", "x.png")
    line = refused(INVALID, *words, option, value)
    assert line.startswith(f"kandinsky: {option}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "nothing to mix: give --text, --image or --embeds"),
        (("--weight", "1", "--text", "a"), "--weight must follow"),
        (("--text", "a", "--weight", "1", "--weight", "2"), "--weight must follow"),
        (("--text", "a", "--weight", "nan"), "--weight: nan is not a finite number"),
        (("--text", "a", "--weight", "1e30"), "--weight: 1e30 is out of range"),
        (("--text", "a", "--weight", "-1000001"), "--weight: -1000001 is out of range"),
        (("--text", "a", "--weight", "half"), '--weight: "half" is not a number'),
        (tuple(["--image=a.png"] * 50), "a.png"),
        (tuple(["--text=a"] * 65), "there are 65 items to mix, expected up to 64"),
        (("--embeds", "a.safetensors"), "no-such-model"),
    ],
)
def test_mix_refuses(words: tuple[str, ...], reason: str) -> None:
    done = run_program("mix", "--model", "no-such-model", "--output", "x.png", *words)
    assert done.returncode in {INVALID, NOT_FOUND}
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr


@pytest.mark.parametrize("command", ["img2img", "inpaint"])
def test_missing_images_are_told_before_the_model_is_opened(command: str) -> None:
    mask = ("--mask", "no-such-mask.png") if command == "inpaint" else ()
    line = refused(
        NOT_FOUND, command, *GENERATE[1:], "--image", "no-such.png", *mask, "--output", "x.png"
    )
    assert "no-such.png" in line


@pytest.mark.parametrize("option", ["--image", "--mask", "--output", "--save-embeds"])
@pytest.mark.parametrize("is_one_word", [False, True])
def test_an_empty_name_of_a_file_is_not_no_file(option: str, is_one_word: bool) -> None:
    """Without its mask a job would inpaint the whole image."""
    words = {"--image": "a.png", "--mask": "m.png", "--output": "x.png"} | {option: ""}
    spelled = [f"{name}={value}" for name, value in words.items()]
    if not is_one_word:
        spelled = [word for pair in words.items() for word in pair]
    assert (
        refused(INVALID, "inpaint", *GENERATE[1:], *spelled)
        == f"kandinsky: {option}: no name given"
    )


def test_an_output_or_a_place_for_embeds_is_needed(tmp_path: Path) -> None:
    assert "--output: no name given" in refused(INVALID, *GENERATE)
    line = refused(NOT_FOUND, *GENERATE, "--save-embeds", tmp_path / "none" / "a.safetensors")
    assert line.startswith("kandinsky: --save-embeds ")
    refused(NOT_FOUND, *GENERATE, "--save-embeds", tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_header_tells_the_limit_of_an_image_file() -> None:
    core = Path(__file__).parents[2] / "core"
    limit = re.search(
        r"kMaxImageFileBytes = 1U << (\d+)U;", (core / "base/limits.h").read_text(encoding="utf-8")
    )
    told = re.search(
        r"such a file, up to 2\^(\d+)\.", (core / "include/kandinsky.h").read_text(encoding="utf-8")
    )
    assert limit is not None
    assert told is not None
    assert limit.group(1) == told.group(1)


def test_seeds_of_a_batch_must_not_run_over() -> None:
    batch = (*GENERATE, "--output", "out/", "--batch-size", "2", "--seed")
    assert "seed + i" in refused(INVALID, *batch, str(2**64 - 1))
    refused(NOT_FOUND, *batch, str(2**64 - 2))
    variations = (*batch, "1", "--variation-strength", "0.5", "--variation-seed")
    assert "--variation-seed" in refused(INVALID, *variations, str(2**64 - 1))


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
)
@pytest.mark.parametrize("option", ["--prompt", "--negative-prompt", "--text"])
def test_texts_must_be_utf8(option: str, bad: bytes) -> None:
    words = ["mix", "--model", "no-such-model", "--text", "a", "--output", "x.png", option]
    assert refused(INVALID, *words, b"a " + bad) == (
        f"kandinsky: {option}: the text is not UTF-8; check the encoding of the terminal or script"
    )
    assert "no-such-model" in refused(NOT_FOUND, *words, "a")


@pytest.mark.parametrize("good", ["красный круг", "円", "😀", "\U0010ffff", "\u0080"])
def test_any_language_passes(good: str) -> None:
    words = ("txt2img", "--model", "no-such-model", "--prompt", good, "--output", "x.png")
    assert "no-such-model" in refused(NOT_FOUND, *words)


class TestOutput:
    """Bad places are told before any work: here even before the model is looked for."""

    @pytest.mark.parametrize("name", ["image", "image.bmp", "image.png.txt", ".png"])
    def test_unknown_ending(self, tmp_path: Path, name: str) -> None:
        line = refused(INVALID, *GENERATE, "--output", tmp_path / name)
        assert ".png" in line
        assert "slash" in line
        assert list(tmp_path.iterdir()) == []

    def test_missing_folder(self, tmp_path: Path) -> None:
        line = refused(NOT_FOUND, *GENERATE, "--output", tmp_path / "none" / "image.png")
        assert f"no folder {tmp_path / 'none'}" in line

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for place in ("file/image.png", "file/", "file/folder/"):
            assert str(tmp_path / "file") in refused(
                INVALID, *GENERATE, "--output", f"{tmp_path}/{place}"
            )

    def test_not_a_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        assert "not a file" in refused(INVALID, *GENERATE, "--output", tmp_path / "pipe.png")

    def test_nothing_can_be_created(self) -> None:
        """Even the superuser cannot create files in /proc."""
        assert "/proc" in refused(IO, *GENERATE, "--output", "/proc/image.png")
        assert "/proc" in refused(IO, *GENERATE, "--output", "/proc/folder/")

    @pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
    def test_no_permission(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert str(tmp_path) in refused(IO, *GENERATE, "--output", tmp_path / "image.png")
        assert str(tmp_path) in refused(IO, *GENERATE, "--output", tmp_path)

    def test_too_long_a_name(self, tmp_path: Path) -> None:
        refused(IO, *GENERATE, "--output", tmp_path / ("a" * 300 + ".png"))

    def test_empty_name(self) -> None:
        assert "--output" in refused(INVALID, *GENERATE, "--output", "")

    def test_a_batch_needs_a_folder(self, tmp_path: Path) -> None:
        line = refused(INVALID, *GENERATE, "--output", tmp_path / "many.png", "--batch-size", "2")
        assert f"{tmp_path / 'many'}/" in line

    def test_a_folder_that_was_made_in_vain_is_gone(self, tmp_path: Path) -> None:
        line = refused(NOT_FOUND, *GENERATE, "--output", f"{tmp_path}/one/two/")
        assert "no-such-model" in line
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_was_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        refused(NOT_FOUND, *GENERATE, "--output", tmp_path / "out")
        assert list(tmp_path.iterdir()) == [tmp_path / "out"]
        assert list((tmp_path / "out").iterdir()) == []
