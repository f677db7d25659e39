"""`kandinsky batch`: each line's image once, whatever happens, and the same as by its command."""

import base64
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from support.batches import EXACT, FEW, ONE, TWO, Row, batch, images, save_scene, write
from support.broken_models import IO
from support.built import PROGRAM, UNET_WEIGHTS, run_program
from support.small_disk import small_disk

INVALID, CORRUPT = 2, 4


def make(jobs: Path, model: Path, output: Path, *options: str | Path) -> dict[str, bytes]:
    code, said = batch(jobs, model, output, *options)
    assert code == 0, said
    return images(output)


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


def manifest(output: Path, name: str = "manifest.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in (output / name).read_text("utf-8").splitlines()]


def prompts(count: int) -> list[Row]:
    return [{"prompt": f"a circle, {i // 3}", "seed": i} for i in range(count)]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return save_scene(tmp_path)


class TestImages:
    def test_they_are_those_of_the_commands(
        self, inpaint_model: Path, scene: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Byte for byte, their parameters included, two at once and in any order."""
        # Two threads that wait for each other would keep other programs from working.
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
        uri = "data:image/png;base64," + base64.b64encode(
            (scene / "image.png").read_bytes()
        ).decode("ascii")
        mix = [{"text": "a star", "weight": 0.4}, {"image": "image.png", "weight": 0.6}]
        rows: list[Row] = [
            {"id": "text", "prompt": "a red circle", "seed": 7},
            {"id": "wide", "prompt": "a (red:1.2) circle", "seed": 7, "width": 96},
            {"id": "other", "prompt": "синий квадрат", "negative_prompt": "red", "seed": 8},
            {"id": "image", "prompt": "a circle", "image": "image.png", "seed": 9},
            {"id": "uri", "prompt": "a circle", "image": uri, "seed": 9},
            {"id": "mask", "prompt": "x", "image": "image.png", "mask": "mask.png", "seed": 3},
            {"id": "mix", "mix": mix, "mix_method": "slerp", "seed": 4},
            {"id": "last", "prompt": "a blue star", "seed": 2},
        ]
        commands = {
            "text": ("txt2img", "--prompt=a red circle", "--seed=7"),
            "wide": ("txt2img", "--prompt=a (red:1.2) circle", "--seed=7", "--width=96"),
            "other": ("txt2img", "--prompt=синий квадрат", "--negative-prompt=red", "--seed=8"),
            "image": ("img2img", "--prompt=a circle", f"--image={scene}/image.png", "--seed=9"),
            "mask": (
                *("inpaint", "--prompt=x", f"--image={scene}/image.png"),
                *(f"--mask={scene}/mask.png", "--seed=3"),
            ),
            "mix": (
                *("mix", "--text=a star", "--weight=0.4", f"--image={scene}/image.png"),
                *("--weight=0.6", "--slerp", "--seed=4"),
            ),
            "last": ("txt2img", "--prompt=a blue star", "--seed=2"),
        }
        jobs = write(scene / "jobs.jsonl", *rows)
        made = make(jobs, inpaint_model, scene / "out", TWO)
        assert set(made) == {f"{row['id']}.png" for row in rows}
        assert made["uri.png"] == made["image.png"]
        for name, words in commands.items():
            path = scene / f"{name}-alone.png"
            done = run_program(
                *(*words, "--model", inpaint_model, "--output", path, "--steps=2"),
                *("--prior-steps=2", EXACT, TWO),
            )
            assert done.returncode == 0, done.stderr
            assert path.read_bytes() == made[f"{name}.png"], name
        random.Random(1).shuffle(rows)
        assert make(write(jobs, *rows), inpaint_model, scene / "again", TWO) == made

    def test_little_memory_gives_those_of_the_commands(self, model: Path, tmp_path: Path) -> None:
        """Texts are then encoded for many lines at once, which the commands do not."""
        done = run_program(
            *("txt2img", "--model", model, "--prompt=x", f"--output={tmp_path}/x.png", EXACT, ONE),
            "--max-memory=1MB",
        )
        least = int(done.stderr.split("this needs ")[1].split(" MB")[0])
        rows = prompts(3)
        for more in (1, 3):
            limit = f"--max-memory={least + more}MB"
            jobs = write(tmp_path / "jobs.jsonl", *rows)
            code, said = batch(jobs, model, tmp_path / f"out-{more}", limit)
            assert code == 0, said
            assert "Memory within" in said
            for line in manifest(tmp_path / f"out-{more}"):
                path = tmp_path / "alone.png"
                row = rows[int(str(line["seed"]))]
                done = run_program(
                    *("txt2img", "--model", model, "--output", path, EXACT, ONE, limit),
                    *("--steps=2", "--prior-steps=2", f"--prompt={row['prompt']}"),
                    f"--seed={row['seed']}",
                )
                assert done.returncode == 0, done.stderr
                assert hashlib.sha256(path.read_bytes()).hexdigest() == line["sha256"]

    def test_a_csv_and_a_text_file_ask_for_the_same(self, model: Path, tmp_path: Path) -> None:
        defaults = tmp_path / "defaults.json"
        defaults.write_text(json.dumps({**FEW, "guidance_scale": 2}), encoding="utf-8")
        options = ("--defaults", defaults)
        (tmp_path / "a.jsonl").write_text(
            '{"prompt": "a \\"red\\" circle,\\nlarge"}\n\n{"prompt": "синий квадрат"}\n', "utf-8"
        )
        (tmp_path / "a.csv").write_text(
            '\ufeffprompt,seed,width\r\n"a ""red"" circle,\nlarge",,\r\nсиний квадрат,,\r\n',
            "utf-8",
        )
        (tmp_path / "a.txt").write_text("синий квадрат\n", "utf-8")
        made = make(tmp_path / "a.jsonl", model, tmp_path / "jsonl", *options)
        assert len(made) == 2
        assert make(tmp_path / "a.csv", model, tmp_path / "csv", *options) == made
        only = make(tmp_path / "a.txt", model, tmp_path / "txt", *options)
        assert len(only) == 1
        assert only.items() <= made.items()

    def test_models_of_lines(self, model: Path, copy: Path, tmp_path: Path) -> None:
        """Beside the file; the weights count for the id, not the folder's name."""
        rows = [
            {"prompt": "x", "seed": 1},
            {"prompt": "x", "seed": 1, "model_dir": "models/" + copy.name, "id": "copied"},
        ]
        made = make(write(tmp_path / "jobs.jsonl", *rows), model, tmp_path / "out")
        assert len(made) == 2
        requests = {line["request"] for line in manifest(tmp_path / "out")}
        assert len(requests) == 1


class TestOnce:
    def test_only_what_is_not_whole_is_made_again(self, model: Path, tmp_path: Path) -> None:
        output = tmp_path / "out"
        jobs = write(tmp_path / "jobs.jsonl", *prompts(4), {"prompt": "x", "id": "own"})
        made = make(jobs, model, output)
        lines = manifest(output)
        assert {line["file"]: line["sha256"] for line in lines} == {
            name: hashlib.sha256(content).hexdigest() for name, content in made.items()
        }
        assert {(line["device"], line["precision"]) for line in lines} == {("cpu", "fp32")}
        kept = output / str(lines[0]["file"])
        (output / str(lines[1]["file"])).unlink()
        (output / str(lines[2]["file"])).write_bytes(made[str(lines[2]["file"])][:-1])
        with (output / "manifest.jsonl").open("r+") as file:  # its last line was not finished
            file.truncate((output / "manifest.jsonl").stat().st_size - 20)
        before = kept.stat().st_mtime_ns
        assert make(jobs, model, output) == made
        assert kept.stat().st_mtime_ns == before
        done = run_program("batch", jobs, "--model", model, "--output", output, EXACT, ONE)
        assert (done.stdout, done.returncode) == ("", 0)
        assert "5 of 5 images already exist" in done.stderr

        # Under its own id, another request is another image.
        changed = write(jobs, {"prompt": "y", "id": "own"})
        assert make(changed, model, output)["own.png"] != made["own.png"]

    def test_other_weights_make_another_image(self, copy: Path, tmp_path: Path) -> None:
        """Of one name, of a component from elsewhere, and in PyTorch's own files."""
        jobs = write(tmp_path / "jobs.jsonl", {"prompt": "x", "id": "own"})
        weights = copy / UNET_WEIGHTS
        tensors = safetensors.torch.load_file(weights)
        other = {name: tensor * 0.5 for name, tensor in tensors.items()}
        replaced = tmp_path / "other.safetensors"
        safetensors.torch.save_file(other, replaced)

        def made(*options: str | Path) -> bytes:
            return make(jobs, copy, tmp_path / "out", *options)["own.png"]

        plain = made()
        scaled = made("--unet", replaced)
        assert scaled != plain
        safetensors.torch.save_file(tensors, replaced)
        assert made("--unet", replaced) != scaled
        weights.unlink()
        in_torchs_form = copy / "unet" / "diffusion_pytorch_model.bin"
        torch.save(tensors, in_torchs_form)
        assert pixels(made()) == pixels(plain)
        torch.save(other, in_torchs_form)
        assert pixels(made()) == pixels(scaled)

    def test_shards_share_the_lines(self, model: Path, tmp_path: Path) -> None:
        jobs = write(tmp_path / "jobs.jsonl", *prompts(8))
        whole = make(jobs, model, tmp_path / "whole")
        seen: set[object] = set()
        for shard in (1, 2, 3):
            make(jobs, model, tmp_path / "out", "--shard", f"{shard}/3")
            ids = {
                line["id"] for line in manifest(tmp_path / "out", f"manifest-{shard}-of-3.jsonl")
            }
            assert ids
            assert not ids & seen
            seen |= ids
        assert images(tmp_path / "out") == whole

    def test_sigterm_keeps_what_is_finished(self, model: Path, tmp_path: Path) -> None:
        jobs = write(tmp_path / "jobs.jsonl", *prompts(200))
        output = tmp_path / "out"
        process = start(jobs, model, output)
        wait_for_images(process, output, 3)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        done = len(images(output))
        assert f"stopped, {done} of 200 images are done; the same command resumes\n" in said
        assert len(manifest(output)) == done
        assert not [path for path in output.iterdir() if path.name.startswith(".")]

    def test_sigkill_at_any_moment(self, model: Path, tmp_path: Path) -> None:
        """`make batch-kills` tries it a hundred times."""
        kills = int(os.environ.get("KANDINSKY_KILLS", "5"))
        seed = int(os.environ.get("KANDINSKY_SEED", "1"))
        moments = random.Random(seed)
        jobs = write(tmp_path / "jobs.jsonl", *prompts(24))
        begin = time.monotonic()
        undisturbed = make(jobs, model, tmp_path / "undisturbed")
        seconds = time.monotonic() - begin
        done = rounds = 0
        while done < kills:
            rounds += 1
            output = tmp_path / f"out-{rounds}"
            for _ in range(kills - done):
                process = start(jobs, model, output)
                try:
                    process.communicate(timeout=moments.uniform(0.05, 0.8) * seconds)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    done += 1
                assert images(output).items() <= undisturbed.items()
            assert make(jobs, model, output) == undisturbed
            assert {line["file"] for line in manifest(output)} == set(undisturbed)
        print(f"{done} kills in {rounds} rounds")


class TestFailures:
    def test_a_corrupt_image_in_the_middle(self, model: Path, scene: Path) -> None:
        (scene / "broken.png").write_bytes((scene / "image.png").read_bytes()[:200])
        rows: list[Row] = [*prompts(2), {"prompt": "x", "image": "broken.png"}, *prompts(5)[2:]]
        jobs = write(scene / "jobs.jsonl", *rows)
        code, said = batch(jobs, model, scene / "out", "--quiet")
        assert code == CORRUPT
        told = said.splitlines()
        assert told[0].startswith(f"kandinsky: {jobs}:3: {scene}/broken.png: ")
        assert told[1:] == ["kandinsky: 5 of 6 images are done, see above for the others"]
        assert len(images(scene / "out")) == 5

    def test_embeds_of_several_images(self, model: Path, tmp_path: Path) -> None:
        """The message is not of flags, which a line has not."""
        saved = tmp_path / "two.safetensors"
        done = run_program(
            *("txt2img", "--model", model, "--prompt=x", "--batch-size=2", ONE, "--steps=2"),
            *("--prior-steps=2", "--save-embeds", saved, "--output", f"{tmp_path}/two/"),
        )
        assert done.returncode == 0, done.stderr
        jobs = write(tmp_path / "jobs.jsonl", {"mix": [{"embeds": saved.name}]})
        code, said = batch(jobs, model, tmp_path / "out", "--quiet")
        assert code == INVALID
        told = f"embeds {saved}: it has 2 rows, but 1 image is wanted"
        assert said.splitlines()[0] == f"kandinsky: {jobs}:1: {told}"

    def test_files_that_may_not_grow(self, model: Path, tmp_path: Path) -> None:
        """As on a full disk, for large images only; small ones are made."""
        large: list[Row] = [
            {"prompt": f"large {i}", "width": 64, "id": f"large-{i}"} for i in (1, 2)
        ]
        small: list[Row] = [{"prompt": f"{i}", "width": 8, "height": 8} for i in range(3)]
        jobs = write(tmp_path / "jobs.jsonl", large[0], *small, large[1])

        process = start(jobs, model, tmp_path / "out", "prlimit", "--fsize=4096")
        _, said = process.communicate(timeout=120)
        assert process.returncode == IO
        assert f"{jobs}:1: {tmp_path}/out/large-1.png: cannot be written: File too large" in said
        assert said.endswith("kandinsky: 3 of 5 images are done, see above for the others\n")
        assert len(images(tmp_path / "out")) == 3
        assert not list((tmp_path / "out").glob(".*"))
        assert len(make(jobs, model, tmp_path / "out")) == 5

    def test_a_disk_that_is_full(self, model: Path, tmp_path: Path) -> None:
        """The rest, which cannot be saved, is not computed."""
        with small_disk(tmp_path / "disk", "64k") as disk:
            jobs = write(tmp_path / "jobs.jsonl", *prompts(40))
            code, said = batch(jobs, model, disk, "--quiet")
            made = images(disk)
            assert code == IO
            assert said.count("No space left on device") == 3
            assert (
                f"{len(made)} of 40 images are done: stopped after 3 failed images in a row" in said
            )
            assert 0 < len(made) < 10


def start(jobs: Path, model: Path, output: Path, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, PROGRAM, "batch", jobs, "--model", model, "--output", output, EXACT, ONE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_images(process: subprocess.Popen[str], output: Path, count: int) -> None:
    for _ in range(600):
        if len(list(output.glob("*.png"))) >= count:
            return
        assert process.poll() is None
        time.sleep(0.05)
    pytest.fail(f"no {count} images were made")
