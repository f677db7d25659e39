"""The demo's contact sheet: images in their places, captions that fit."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

# By its path: "generate" is no name to put among all modules of a test run.
SPEC = importlib.util.spec_from_file_location(
    "contact_sheet", Path(__file__).parents[3] / "demo/generate.py"
)
assert SPEC is not None
assert SPEC.loader is not None
generate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate)

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]


def test_images_stand_in_rows_of_four() -> None:
    images = [Image.new("RGB", (64, 64), color) for color in COLORS]
    sheet = generate.contact_sheet(images, [f"image {n}" for n in range(5)])
    cell_width = 256 + generate.MARGIN
    cell_height = (sheet.height - generate.MARGIN) // 2
    assert sheet.width == 4 * cell_width + generate.MARGIN
    for index, color in enumerate(COLORS):
        x = generate.MARGIN + index % 4 * cell_width + 128
        y = generate.MARGIN + index // 4 * cell_height + 128
        assert sheet.getpixel((x, y)) == color
    assert (
        sheet.getpixel((generate.MARGIN + cell_width + 128, sheet.height - 128)) == generate.PAPER
    )


def test_every_image_has_its_caption() -> None:
    image = Image.new("RGB", (256, 256), generate.PAPER)
    for caption in ("a circle", "круг"):
        written = generate.contact_sheet([image], [caption])
        below = written.crop((0, 256 + generate.MARGIN, written.width, written.height))
        assert below.getextrema() != ((255, 255),) * 3
    blank = generate.contact_sheet([image], [""])
    assert blank.getextrema() == ((255, 255),) * 3


def test_cyrillic_letters_differ() -> None:
    """A font without them would draw the same box for each."""
    font = generate.load_font(14)
    assert font.getmask("круг").getbbox() is not None
    assert bytes(font.getmask("ж")) != bytes(font.getmask("ш"))


def test_an_image_count_that_does_not_fit_the_captions_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        generate.contact_sheet([Image.new("RGB", (8, 8))] * 2, ["one"])


def test_captions_are_broken_at_spaces() -> None:
    font = generate.load_font(14)
    text = "a blue square on a yellow background"
    lines = generate.wrap(text, font, 160, 2)
    assert len(lines) == 2
    assert " ".join(lines) == text
    assert all(font.getlength(line) <= 160 for line in lines)


@pytest.mark.parametrize("text", ["word " * 50, "long" * 50, "слово " * 50])
def test_captions_that_are_too_long_are_cut(text: str) -> None:
    font = generate.load_font(14)
    lines = generate.wrap(text, font, 160, 2)
    assert len(lines) <= 2
    assert lines[-1].endswith("…")
    assert all(font.getlength(line) <= 160 for line in lines)


def test_the_prompts_are_in_two_languages() -> None:
    russian = [prompt for prompt in generate.PROMPTS if any("а" <= c <= "я" for c in prompt)]
    assert len(generate.PROMPTS) >= 4
    assert 0 < len(russian) < len(generate.PROMPTS)
