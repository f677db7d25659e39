"""What the end-to-end tests share."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kandinsky_engine import Engine

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import built
from support.install_place import Place

built.use_built_package()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its prior beside it. Not to be written into: see built.copy_models."""
    return built.make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def inpaint_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its prior and its inpainting model beside it. Not to be written into."""
    return built.make_models(tmp_path_factory.mktemp("models"), built.INPAINT)


@pytest.fixture(scope="session")
def kandinsky_2_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all tiny models of Kandinsky 2.2. Not to be written into."""
    return built.make_kandinsky_2_2(tmp_path_factory.mktemp("models"))


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A model that a test may break, and its prior beside it."""
    (tmp_path / "models").mkdir()
    return built.copy_models(model, tmp_path / "models")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout to run install.py in."""
    return Place(tmp_path)


@pytest.fixture
def engine(model: Path) -> "Iterator[Engine]":
    """The tiny model, exact."""
    import kandinsky_engine  # noqa: PLC0415 - not before the built one is on the path

    with kandinsky_engine.Engine(model, precision="fp32") as engine:
        yield engine
