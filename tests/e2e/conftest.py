"""What the end-to-end tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import built

built.use_built_package()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its prior beside it. Not to be written into: see built.copy_models."""
    return built.make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def inpaint_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its prior and its inpainting model beside it. Not to be written into."""
    return built.make_models(tmp_path_factory.mktemp("models"), built.INPAINT)
