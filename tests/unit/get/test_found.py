"""Which folders hold models, by the layouts of several programs, and what is whole."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from kandinsky_get import found, known, words
from support.unreadable import forbid

from .conftest import toy, weights

REVISIONS = ("a" * 40, "b" * 40)


def make(folder, *, index="{}"):
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(index)
    return folder


def cached(root, repository, *revisions, main=None):
    """A repository in the hub's layout, its files links to blobs."""
    top = root / f"models--{repository.replace('/', '--')}"
    (top / "blobs").mkdir(parents=True)
    (top / "blobs" / "index").write_text("{}")
    for revision in revisions:
        snapshot = top / "snapshots" / revision
        snapshot.mkdir(parents=True)
        (snapshot / "model_index.json").symlink_to("../../blobs/index")
    if main:
        (top / "refs").mkdir()
        (top / "refs" / "main").write_text(main)
    return top / "snapshots"


def names(root):
    return [name for name, _ in found.folders(root)]


def test_plain_folders_and_the_root_itself(tmp_path):
    make(tmp_path / "root" / "b")
    make(tmp_path / "root" / "a")
    (tmp_path / "root" / "empty").mkdir()
    (tmp_path / "root" / "file").write_text("")
    assert list(found.folders(tmp_path / "root")) == [
        ("a", tmp_path / "root/a"),
        ("b", tmp_path / "root/b"),
    ]
    assert names(tmp_path / "root" / "a") == ["a"]
    assert names(tmp_path / "nowhere") == []
    assert names(tmp_path / "root" / "file") == []


def test_what_nobody_may_look_into_hides_nothing_else(tmp_path, monkeypatch):
    root, theirs = tmp_path / "root", make(tmp_path / "theirs" / "model").parent
    make(root / "a")
    make(root / "lost+found")
    (root / "link").symlink_to(theirs / "model")
    forbid(monkeypatch, root / "lost+found", theirs)
    assert names(root) == ["a"]
    assert names(theirs) == names(theirs / "model") == []
    assert not found.find(toy(), [root, theirs]).has_some


def test_a_cache_in_the_hubs_layout(tmp_path):
    cached(tmp_path, "kandinsky-community/kandinsky-2-1", *REVISIONS, main=REVISIONS[0])
    cached(tmp_path, "kandinsky-community/kandinsky-2-1-prior")
    cached(tmp_path, "plain", REVISIONS[1])
    (tmp_path / "models--x--empty").mkdir()
    assert names(tmp_path) == ["kandinsky-2-1", "plain"]
    (_, folder), *_ = found.folders(tmp_path)
    assert folder.name == REVISIONS[0]


@pytest.mark.parametrize("main", [None, "c" * 40, "\n", "../../.."])
def test_without_a_main_branch_the_newest_snapshot_is_taken(tmp_path, main):
    snapshots = cached(tmp_path, "a/b", *REVISIONS, main=main)
    for age, revision in enumerate(REVISIONS):
        os.utime(snapshots / revision, (1000 - age, 1000 - age))
    assert [folder.name for _, folder in found.folders(tmp_path)] == [REVISIONS[0]]


def test_a_snapshot_whose_files_are_gone_is_none(tmp_path):
    cached(tmp_path, "a/b", REVISIONS[0])
    (tmp_path / "models--a--b" / "blobs" / "index").unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, str(Path("~/.cache/huggingface/hub").expanduser())),
    ],
    ids=str,
)
def test_where_the_hub_caches(environ, path):
    assert found.hub_cache(environ) == Path(path)


class TestStates:
    def put(self, folder, *, size=1000):
        make(folder)
        (folder / "config.json").write_text("{}")
        (folder / "unet").mkdir()
        (folder / "unet/w.safetensors").write_bytes(weights(size))
        return folder

    def test_whole_without_what_is_optional(self, tmp_path):
        state = found.find(toy(), [tmp_path])
        assert (state.is_whole, state.has_some, state.bytes) == (False, False, 0)
        self.put(tmp_path / "toy")
        state = found.find(toy(), [tmp_path])
        assert state.is_whole
        assert state.parts[0].folder == tmp_path / "toy"
        assert state.bytes == len(weights(1000)) + 4

    @pytest.mark.parametrize(
        "break_it",
        [
            lambda file: file.write_bytes(file.read_bytes()[:-1]),
            lambda file: file.write_bytes(file.read_bytes() + b"x"),
            lambda file: file.write_bytes(b""),
            lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            lambda file: file.write_bytes(b"\x02" + bytes(7) + b"[]"),
            lambda file: file.write_bytes(b"\xff" * 20),
            lambda file: file.rename(file.with_name(f"{file.name}.0123456789ab.part")),
        ],
    )
    def test_broken_weights_are_partial(self, tmp_path, break_it):
        break_it(self.put(tmp_path / "toy") / "unet/w.safetensors")
        state = found.find(toy(), [tmp_path])
        assert not state.is_whole
        assert state.parts[0].states["unet/w.safetensors"] == "partial"

    def test_a_missing_file(self, tmp_path):
        (self.put(tmp_path / "toy") / "config.json").unlink()
        state = found.find(toy(), [tmp_path])
        assert state.has_some
        assert not state.is_whole

    def test_sizes_of_the_table_count(self, tmp_path):
        self.put(tmp_path / "toy")
        model = toy(known.File("unet/w.safetensors", 7), revision="a" * 40)
        assert not found.find(model, [tmp_path]).is_whole

    def test_what_a_download_has_begun_is_seen(self, tmp_path):
        (tmp_path / "toy" / "unet").mkdir(parents=True)
        (tmp_path / "toy" / "unet" / "w.safetensors.0123456789ab.part").write_bytes(b"12345")
        state = found.find(toy(), [tmp_path])
        assert (state.is_whole, state.bytes) == (False, 5)

    def test_a_piece_that_is_renamed_while_it_is_looked_at(self, tmp_path, monkeypatch):
        (tmp_path / "toy").mkdir()
        monkeypatch.setattr(found, "pieces", lambda path: [path.with_name("gone.part")])
        assert found.find(toy(), [tmp_path]).bytes == 0

    def test_the_most_whole_is_taken_wherever_it_is(self, tmp_path):
        (tmp_path / "a" / "toy").mkdir(parents=True)
        (tmp_path / "a" / "toy" / "config.json").write_text("{}")
        snapshots = cached(tmp_path / "b", "somebody/toy", REVISIONS[0])
        blob = self.put(tmp_path / "c")
        for name in ("config.json", "unet"):
            (snapshots / REVISIONS[0] / name).symlink_to(blob / name)
        state = found.find(toy(), [tmp_path / "a", tmp_path / "b"])
        assert state.is_whole
        assert state.parts[0].folder == snapshots / REVISIONS[0]


class TestWeightsInOtherForms:
    """Of a folder whose repository the table knows, as people have it who did not download it
    here."""

    WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
    TOY = toy(known.File("config.json"), known.File(WEIGHTS), known.File("model_index.json"))

    @pytest.fixture
    def unet(self, tmp_path):
        folder = make(tmp_path / "toy")
        (folder / "config.json").write_text("{}")
        (folder / "unet").mkdir()
        return folder / "unet"

    def state(self, unet):
        part = found.find(self.TOY, [unet.parents[1]]).parts[0]
        assert part.is_whole == (part.states[self.WEIGHTS] == "there")
        return part.states[self.WEIGHTS]

    def checkpoint(self, path, *, old=False):
        """As torch.save writes it, now and before PyTorch 1.6."""
        if old:
            path.write_bytes(b"\x80\x02" + b"x" * 500)
            return
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", b"x" * 500)

    @pytest.mark.parametrize("old", [False, True])
    @pytest.mark.parametrize(
        "name",
        ["diffusion_pytorch_model.bin", "pytorch_model.bin", "diffusion_pytorch_model.fp16.bin"],
    )
    def test_of_pytorch(self, unet, name, old):
        self.checkpoint(unet / name, old=old)
        assert self.state(unet) == "there"
        assert found.find(self.TOY, [unet.parents[1]]).bytes > 500
        text = words.here(self.TOY, found.find(self.TOY, [unet.parents[1]]))
        assert text == "yes"

    @pytest.mark.parametrize(
        "break_it",
        [
            lambda file: file.write_bytes(file.read_bytes()[:-30]),
            lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
            lambda file: file.write_bytes(b""),
        ],
    )
    def test_of_pytorch_but_broken(self, unet, break_it):
        file = unet / "diffusion_pytorch_model.bin"
        self.checkpoint(file)
        break_it(file)
        assert self.state(unet) == "partial"

    def test_under_a_name_that_the_engine_does_not_look_for(self, unet):
        self.checkpoint(unet / "model.bin")
        assert self.state(unet) == "missing"

    def test_safetensors_come_first(self, unet):
        self.checkpoint(unet / "diffusion_pytorch_model.bin")
        (unet / "diffusion_pytorch_model.safetensors").write_bytes(weights(1000)[:-1])
        assert self.state(unet) == "partial"

    @pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
    def test_in_several_files(self, unet, suffix):
        names = [f"diffusion_pytorch_model-{i}-of-2{suffix}" for i in (1, 2)]
        index = unet / f"diffusion_pytorch_model{suffix}.index.json"
        index.write_text(json.dumps({"weight_map": dict(zip("ab", names, strict=True))}))
        assert self.state(unet) == "partial"
        for name in names:
            assert self.state(unet) == "partial"
            self.checkpoint(unet / name)
            if suffix == ".safetensors":
                (unet / name).write_bytes(weights(1000))
        assert self.state(unet) == "there"
        index.write_text("[]")
        assert self.state(unet) == "missing"


def test_the_demo_model_is_whole():
    """As 2.1 would be in its folder: the header of each file fits its size."""
    root = Path(__file__).parents[3] / "demo" / "model"
    for part, name in zip(
        known.model("2.1").parts, ("kandinsky-demo", "kandinsky-demo-prior"), strict=True
    ):
        assert found.state(part, root / name).is_whole
