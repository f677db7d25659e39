"""The package without an engine, as the extension loads it, and a hub on this machine."""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests"))
PACKAGE = ROOT / "bindings" / "kandinsky_engine" / "get"


def load_package():
    """As `kandinsky_get`."""
    spec = importlib.util.spec_from_file_location(
        "kandinsky_get", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["kandinsky_get"] = module
    spec.loader.exec_module(module)


load_package()

from kandinsky_get import known  # noqa: E402
from support.fake_hub import FakeHub  # noqa: E402

REPOSITORY = "somebody/toy"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Nothing of the person's own."""
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_HOME", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def server():
    with FakeHub() as hub:
        hub.files = {
            f"{REPOSITORY}/config.json": b'{"a": 1}\n',
            f"{REPOSITORY}/unet/w.safetensors": weights(200_000),
            f"{REPOSITORY}/model_index.json": b"{}",
        }
        yield hub


@functools.cache
def weights(size):
    """A whole safetensors file, and no two parts of it alike."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    header = header.encode()
    return len(header).to_bytes(8, "little") + header + bytes(i * i % 251 for i in range(size))


def toy(*files, **changed):
    """A model of one part."""
    files = files or (
        known.File("config.json"),
        known.File("none.json", is_optional=True),
        known.File("unet/w.safetensors"),
        known.File("model_index.json"),
    )
    return known.Model("toy", "Toy", "kandinsky-2-1", (known.Part(REPOSITORY, files, **changed),))
