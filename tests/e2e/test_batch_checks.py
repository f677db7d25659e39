"""What `kandinsky batch` checks in a file before the first step, and what it says of it."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image
from support.batches import Row, batch, images, save_scene, write
from support.built import NATIVE_SIZE

INVALID = 2


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return save_scene(tmp_path)


class TestChecks:
    def test_the_whole_file_before_the_first_step(self, model: Path, tmp_path: Path) -> None:
        rows: dict[Row | str, str] | list[tuple[Row | str, str]] = [
            (
                {"prompt": "x", "steps": 20},
                'no option "steps"; did you mean "num_inference_steps"?',
            ),
            ({"promt": "x"}, 'no option "promt"; did you mean "prompt"?'),
            ({"prompt": "x", "guidance_scale": 700}, "guidance_scale is 700, expected 0 to 100"),
            ({"prompt": "x", "sampler": "DIMM"}, 'sampler is "DIMM", expected one of: '),
            ({"prompt": "x", "seed": -1}, "seed is -1, expected a whole number from 0"),
            ({"prompt": "x", "width": 1.5}, "width is 1.5, expected a whole number"),
            ({"prompt": "x", "tiling": 1}, "tiling is 1, expected true or false"),
            (
                {"prompt": "x", "tiling": True, "width": 100},
                "tiling needs sides that are multiples",
            ),
            ({"prompt": "x", "image": "no.png"}, "no.png: cannot be read: No such file"),
            ({"prompt": "x", "image": "data:,x"}, "data: URI must be base64"),
            ({"prompt": "x", "mask": "no.png"}, "mask: needs an image"),
            ({"prompt": "x", "id": "../x"}, 'id is "../x", expected up to 200 letters'),
            ({"prompt": "x", "noise": 1}, 'no option "noise"'),
            ({"mix": [{"text": "a", "image": "b"}]}, "mix: an item needs one of text, image"),
            ({"seed": 1}, "prompt: missing"),
            ({"prompt": "x", "model_dir": "no"}, "no such model folder"),
            ("{", "invalid JSON"),
            ("[]", "[] is not a JSON object"),
            ('{"prompt": "\udce9"}', "invalid JSON"),
            ({"prompt": "x", "id": "a"}, ""),
            ({"prompt": "y", "id": "a"}, 'id "a" is already used by line 20'),
        ]
        jobs = tmp_path / "jobs.jsonl"
        lines = (row if isinstance(row, str) else json.dumps(row) for row, _ in rows)
        jobs.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
        code, said = batch(jobs, model, tmp_path / "out")
        assert code == INVALID
        told = said.splitlines()
        wanted = [(number, text) for number, (_, text) in enumerate(rows, 1) if text]
        for line, (number, text) in zip(told, wanted, strict=False):
            assert line.startswith(f"kandinsky: {jobs}:{number}: ")
            assert text in line
        assert told[len(wanted) :] == [
            "kandinsky: 20 of 21 lines cannot run; nothing was generated (--keep-going runs the "
            "others)"
        ]
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", "are too many, at most 16"),
            ('{"mix": [' + "1," * 100_000 + "1]}", "values are too many, at most 10000"),
            ('{"prompt": "a\\u0000b"}', "prompt: must not contain a NUL character"),
            ('{"prompt": "x", "image": "/dev/zero"}', "/dev/zero: is a folder, a pipe or a device"),
            ('{"prompt": "x", "image": "huge.png"}', "more than 268435456 bytes are too many"),
        ],
        ids=["nested", "long", "NUL", "device", "sparse"],
    )
    def test_hostile_lines(self, model: Path, tmp_path: Path, line: str, told: str) -> None:
        (tmp_path / "huge.png").touch()
        os.truncate(tmp_path / "huge.png", 1 << 40)  # takes no space
        jobs = tmp_path / "jobs.jsonl"
        jobs.write_text(line)
        code, said = batch(jobs, model, tmp_path / "out")
        assert code == INVALID
        assert told in said.splitlines()[0]

    def test_a_wide_image_decides_the_side_that_is_left_out(
        self, model: Path, tmp_path: Path
    ) -> None:
        """16384 pixels wide, it is not as high; the other line keeps it from being made."""
        Image.new("RGB", (64, 16)).save(tmp_path / "wide.png")
        wide: Row = {"prompt": "x", "image": "wide.png", "width": 16384}
        jobs = write(tmp_path / "jobs.jsonl", wide, {"promt": "x"})
        code, said = batch(jobs, model, tmp_path / "out")
        assert code == INVALID
        assert said.splitlines()[0].startswith(f"kandinsky: {jobs}:2: ")
        assert "1 of 2 lines cannot run" in said

    def test_only_a_mask_that_is_black_is_called_so(self, model: Path, scene: Path) -> None:
        Image.new("L", (NATIVE_SIZE, NATIVE_SIZE)).save(scene / "black.png")
        row: Row = {"prompt": "x", "image": "image.png", "mask": "mask.png"}
        rows: list[Row] = [row, {**row, "invert_mask": True}]
        told = "its mask is black, nothing is inpainted"
        code, said = batch(write(scene / "jobs.jsonl", *rows), model, scene / "out")
        assert code == 0, said
        assert told not in said
        jobs = write(scene / "jobs.jsonl", {**row, "mask": "black.png"})
        code, said = batch(jobs, model, scene / "out")
        assert code == 0, said
        assert told in said

    def test_keep_going_does_the_others(self, model: Path, tmp_path: Path) -> None:
        jobs = write(tmp_path / "jobs.jsonl", {"promt": "x"}, {"prompt": "x"}, {"promt": "y"})
        code, said = batch(jobs, model, tmp_path / "out", "--keep-going", "--quiet")
        assert code == INVALID
        assert said.splitlines() == [
            f'kandinsky: {jobs}:1: there is no option "promt"; did you mean "prompt"? (and 1 more)',
            "kandinsky: 1 of 3 images are done, see above for the others",
        ]
        assert len(images(tmp_path / "out")) == 1

    def test_wrong_defaults_are_named(self, model: Path, tmp_path: Path) -> None:
        jobs = write(tmp_path / "jobs.jsonl", {"prompt": "x"})
        defaults = tmp_path / "defaults.json"
        defaults.write_text('{"seed": 1}')
        code, said = batch(jobs, model, tmp_path / "out", "--defaults", defaults)
        assert (code, said) == (
            INVALID,
            f"kandinsky: {defaults}: seed: must be set in each request\n",
        )

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            ("a.txt", b"", "the file has no request"),
            ("a.txt", b"x\n\xe9\n", "line 2 is not UTF-8"),
            ("a.csv", b"prompt\nx,y\n", "line 2 has 2 cells, but the first line has 1"),
            ("a.csv", b'prompt\n"x\n', "the quote that begins in line 2 is not closed"),
            ("a.dat", b"x", "the file name must end in .jsonl, .csv or .txt"),
        ],
    )
    def test_files_that_are_none(
        self, model: Path, tmp_path: Path, name: str, content: bytes, told: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        code, said = batch(tmp_path / name, model, tmp_path / "out")
        assert (code, said) == (INVALID, f"kandinsky: {tmp_path / name}: {told}\n")

    @pytest.mark.parametrize("path", ["/dev/zero", "."])
    def test_what_is_no_file(self, model: Path, tmp_path: Path, path: str) -> None:
        code, said = batch(Path(path), model, tmp_path / "out")
        told = f"kandinsky: {path}: is a folder, a pipe or a device; expected a file\n"
        assert (code, said) == (INVALID, told)

    def test_a_repeated_line_is_made_once(self, model: Path, tmp_path: Path) -> None:
        """Whatever order its options come in, and whether they say the default."""
        jobs = write(
            tmp_path / "jobs.jsonl",
            {"prompt": "x", "seed": 1, "guidance_scale": 4},
            {"seed": 1, "prompt": "x", "sampler": "automatic"},
        )
        code, said = batch(jobs, model, tmp_path / "out")
        assert code == 0
        assert "line 2 repeats line 1, the image is generated once" in said
        assert len(images(tmp_path / "out")) == 1
