"""`kandinsky info` on broken models."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load, save
from support.broken_models import CORRUPT, READ, parts_of
from support.built import UNET_WEIGHTS, replace, run_program

import kandinsky_engine as kandinsky


class TestInfo:
    """`kandinsky info` finds what a job would find, and so does opening an engine."""

    def test_says_what_is_checked(self, model: Path) -> None:
        for folder in (model, model.with_name(f"{model.name}-prior")):
            assert all(part.is_checked for part in kandinsky.describe_folder(folder).components)
            done = run_program("info", folder)
            assert done.returncode == 0, done.stderr
            assert "checked" in done.stdout
            assert "config only" not in done.stdout

    def test_says_what_is_not(self, copy: Path) -> None:
        def add(content: bytes) -> bytes:
            return json.dumps(
                json.loads(content) | {"watermark": ["diffusers", "WatermarkImageProcessor"]}
            ).encode()

        replace(copy / "model_index.json", add)
        (copy / "watermark").mkdir()
        (copy / "watermark/config.json").write_text("{}")
        checked = {
            part.name: part.is_checked for part in kandinsky.describe_folder(copy).components
        }
        assert [name for name, is_checked in checked.items() if not is_checked] == ["watermark"]
        assert "config only" in run_program("info", copy).stdout
        (copy / "watermark/config.json").write_text("{")
        assert run_program("info", copy).returncode == CORRUPT

    @pytest.mark.parametrize("path", READ)
    def test_a_file_cut_to_100_bytes(self, copy: Path, path: str) -> None:
        folder, file = parts_of(copy, path)
        replace(file, lambda content: content[: min(100, len(content) // 2)])
        done = run_program("info", folder)
        assert done.returncode == CORRUPT, done.stderr
        assert done.stdout == ""
        # "/x/../y" is how a component's own folder may be spelled.
        assert str(file.relative_to(folder.resolve())) in done.stderr
        with pytest.raises(kandinsky.CorruptFileError, match=file.name):
            kandinsky.Engine(copy)

    @pytest.mark.parametrize("path", READ)
    def test_a_file_cut_anywhere(self, copy: Path, path: str) -> None:
        folder, file = parts_of(copy, path)
        content = file.read_bytes().rstrip()
        lengths = {0, 1, 8, len(content) - 1} | {len(content) * i // 5 for i in range(5)}
        for length in sorted(lengths):
            replace(file, lambda _, length=length: content[:length])  # type: ignore[misc]
            for read in (kandinsky.describe_folder, kandinsky.Engine):
                with pytest.raises(kandinsky.KandinskyError, match=file.name):
                    read(folder if read is kandinsky.describe_folder else copy)

    def test_weights_that_do_not_fit_their_config(self, copy: Path) -> None:
        replace(copy / "unet/config.json", lambda content: content.replace(b"96", b"32", 1))

        def drop(content: bytes) -> bytes:
            tensors = dict(load(content))
            del tensors["conv_in.weight"]
            return save(tensors)

        replace(copy / UNET_WEIGHTS, drop)
        done = run_program("info", copy)
        assert done.returncode == CORRUPT
        assert "conv_in.weight" in done.stderr

    def test_says_the_same_as_generating(self, copy: Path) -> None:
        replace(copy / UNET_WEIGHTS, lambda content: content[: len(content) // 2])
        for words in (("info",), ("info", "--json")):
            done = run_program(*words, copy)
            assert done.returncode == CORRUPT
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1
            assert str(copy / UNET_WEIGHTS) in done.stderr
