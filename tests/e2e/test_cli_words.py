"""What arrives of odd texts on the command line, as a PNG's parameters and a host's parser show."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from support.built import run_program

FEW = ("--steps=2", "--prior-steps=2", "--seed=1", "--precision=fp32")
_SETTING = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def host_reads(text: str) -> dict[str, str]:
    """A PNG's text by the rules of Automatic1111's parser, which takes no empty value."""
    *prompts, last = text.split("\n")
    negative = next(
        (i for i, line in enumerate(prompts) if line.startswith("Negative prompt:")), len(prompts)
    )
    read = {
        "Prompt": "\n".join(prompts[:negative]),
        "Negative prompt": "\n".join(prompts[negative:])[len("Negative prompt:") :].strip(),
    }
    for key, value in _SETTING.findall(last):
        assert value != "", f"{key} is lost"
        is_quoted = value[0] == '"' and value[-1] == '"'
        read[key] = json.loads(value) if is_quoted else value
    return read


def generate(model: Path, output: Path, *words: str | bytes) -> dict[str, str]:
    """Generates quickly; returns what a host would read from the PNG."""
    done = run_program("txt2img", "--model", model, "--output", output, "--quiet", *FEW, *words)
    assert done.returncode == 0, done.stderr
    with Image.open(output) as image:
        return host_reads(image.info["parameters"])


ODD = [
    *("[[aa]]", "[[a,a]]", "[a, b]", "[]", "[[]]", "[[", "]]", "[a", "{}", "{a: b}", "%%", "[{}]"),
    *('"quoted"', "'quoted'", '"', "'", "a \\ b", '\\"', "`a`", "$HOME", "%s", 'B"(\\x41)"'),
    *("a,b", "a=b", "=a", "=", "key = [1, 2]", "#comment", ";", "@file", "a:b", "(a:1.2)"),
    *("-", "--", "---", "-a", "-1", "--prompt", "--prompt=b", "--help", "-h", "--a=[b"),
    *("txt2img", "info", "true", "false", "0", "-h=[x", "\x01", "\x01[a", "--a=\x01", "a\tb"),
    *("  blanks  ".strip(), "a  b", "界", "😀", "é", "a" * 3000),
]


def test_odd_prompts_arrive_whole(model: Path, tmp_path: Path) -> None:
    """The first ones, which old and new versions of CLI11 take for something else."""
    for i in range(0, 12, 3):
        prompt, negative, prior = ODD[i : i + 3]
        spelled = (
            ("--prompt", prompt, f"--negative-prompt={negative}", "--negative-prior-prompt", prior)
            if i % 2
            else (
                f"--prompt={prompt}",
                "--negative-prompt",
                negative,
                f"--negative-prior-prompt={prior}",
            )
        )
        read = generate(model, tmp_path / "x.png", *spelled)
        arrived = [read["Prompt"], read["Negative prompt"], read["Kandinsky negative prior prompt"]]
        assert arrived == [prompt, negative, prior]


def test_empty_texts_are_empty_and_eat_nothing(model: Path, tmp_path: Path) -> None:
    for words in (
        ("--prompt=", "--negative-prompt=", "--negative-prior-prompt="),
        ("--prompt", "", "--negative-prompt", "", "--negative-prior-prompt", ""),
    ):
        read = generate(model, tmp_path / "x.png", *words, "--cfg-scale", "2.5")
        assert read["CFG scale"] == "2.5"
        assert read["Prompt"] == ""
        assert read["Negative prompt"] == ""
        assert read["Kandinsky negative prior prompt"] == ""


@pytest.mark.parametrize("text", [' "a" ', '"a", "b"', "a\nb: c\t", "\u3000a", "a\u00a0", "\x1ca"])
def test_a_host_reads_every_value(model: Path, tmp_path: Path, text: str) -> None:
    read = generate(model, tmp_path / "x.png", "--prompt=x", "--negative-prior-prompt", text)
    assert read["Kandinsky negative prior prompt"] == text
    assert read["Kandinsky precision"] == "fp32"


@pytest.mark.parametrize("is_one_word", [False, True])
def test_odd_texts_of_a_mix_arrive_whole(model: Path, tmp_path: Path, is_one_word: bool) -> None:
    """In both spellings of the option, and each with its weight."""
    odd = [*ODD, "", "--weight"]
    words = [
        word
        for text in odd
        for word in ([f"--text={text}"] if is_one_word else ["--text", text]) + ["--weight=0.5"]
    ]
    done = run_program("mix", "--model", model, "--output", tmp_path / "x.png", *FEW, *words)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "x.png") as image:
        read = host_reads(image.info["parameters"])
    items = [f"0.5 {json.dumps(text, ensure_ascii=False)}" for text in odd]
    assert read["Kandinsky mix items"] == " + ".join(items)


@pytest.mark.parametrize("option", ["--device", "--prior-device"])
@pytest.mark.parametrize("device", ["cpu:5", "cpu:-1", "cuda:", "gpu", "cpu\x1b[31m", ""])
def test_a_device_that_is_none_is_named(
    model: Path, tmp_path: Path, option: str, device: str
) -> None:
    done = run_program(
        *("txt2img", "--model", model, "--output", tmp_path / "x.png", "--prompt=a", *FEW),
        f"{option}={device}",
    )
    if device == "":
        assert done.returncode == 0, "as if it were not given"
        return
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2, line
    assert device.partition("\x1b")[0] in line
    assert "\x1b" not in line
    assert list(tmp_path.iterdir()) == []
