"""How far the first reading of the weights is: on the page each second, on the console each ten."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import pytest

SIZE = 4_000_000


@pytest.fixture
def loading(host, tmp_path, monkeypatch):
    """Of 4 MB, with a counter that tests set; a second passes in 10 ms."""
    module = host.ext("loading")
    monkeypatch.setattr(module, "SHOWN_SECONDS", 0.01)
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.05)
    file = tmp_path / "weights"
    file.write_bytes(bytes(SIZE))
    counter = SimpleNamespace(read=100)
    made = module.Loading("toy", [file], lambda: counter.read)
    yield SimpleNamespace(it=made, counter=counter, module=module)
    made.end()


def wait_for(seen, text):
    end = time.monotonic() + 10
    while not any(text in line for line in seen):
        assert time.monotonic() < end, seen
        time.sleep(0.005)


def test_what_is_read_is_shown_with_what_is_left(loading, monkeypatch):
    seen = []
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(loading.module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    loading.it.begin(seen.append)
    assert seen[0] == "4 MB"
    clock.now += 60
    loading.counter.read += SIZE // 4
    wait_for(seen, "1 MB of 4 MB, about 3 min left")
    loading.it.end()
    loading.it.begin(seen.append)
    loading.counter.read += SIZE // 4
    clock.now += 60
    wait_for(seen, "2 MB of 4 MB, about 2 min left")


def test_the_console_hears_of_it_only_if_it_takes_long(loading, caplog):
    caplog.set_level(logging.WARNING, "kandinsky")
    loading.it.begin(lambda _text: None)
    loading.it.end()
    assert caplog.messages == []
    loading.it.begin(lambda _text: None)
    loading.counter.read += SIZE // 2
    end = time.monotonic() + 10
    while not any("Kandinsky: loading toy: 2 MB of 4 MB" in line for line in caplog.messages):
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_was_read_once_is_not_told_again(loading):
    seen = []
    loading.it.begin(seen.append)
    loading.counter.read += SIZE
    loading.it.end()
    count = len(seen)
    loading.it.begin(seen.append)
    assert len(seen) == count


def test_without_a_counter_the_size_is_shown(host, tmp_path):
    seen = []
    file = tmp_path / "weights"
    file.write_bytes(bytes(SIZE))
    made = host.ext("loading").Loading("toy", [file], lambda: None)
    made.begin(seen.append)
    made.end()
    assert seen[0] == "4 MB"


def test_a_run_shows_it_under_the_progress_bar(host, monkeypatch):
    (host.toy / "unet").mkdir()
    (host.toy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(bytes(SIZE))
    texts = []
    monkeypatch.setattr(
        host.ext("host.watcher").HostWatcher, "say", lambda _self, text: texts.append(text)
    )
    denoise = host.engine.Engine.denoise

    def with_loading(self, *args, **kwargs):
        self._steps("load", 1)
        return denoise(self, *args, **kwargs)

    monkeypatch.setattr(host.engine.Engine, "denoise", with_loading)
    host.txt2img()
    assert texts[0].startswith("Kandinsky: loading weights, ")
    assert texts[0].endswith("4 MB")


def test_the_files_are_those_that_the_engine_reads(host, tmp_path):
    def add(name):
        file = tmp_path / "unet" / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
        return file

    files = host.ext("loading").weight_files
    expected = add("diffusion_pytorch_model.bin")
    assert files(tmp_path) == [expected]
    expected = add("diffusion_pytorch_model.fp16.safetensors")
    assert files(tmp_path) == [expected]
    expected = add("diffusion_pytorch_model.safetensors")
    add("backup.safetensors")
    assert files(tmp_path) == [expected]


def test_a_file_that_is_gone_ends_no_run(host):
    (host.toy / "unet").mkdir()
    (host.toy / "unet" / "old.safetensors").symlink_to("nowhere")
    index = host.toy / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert len(host.txt2img().images) == 1
