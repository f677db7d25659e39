"""Each header that torch-free and torch code share compiles alone."""

from pathlib import Path

import pytest
from support import c_header

CORE = Path(__file__).parents[2] / "core"


@pytest.mark.parametrize("name", c_header.of_torch_free_code())
def test_it_compiles_alone(name: str) -> None:
    flags = ["-std=c++20", f"-I{CORE}"]
    assert c_header.compile_errors(f'#include "{name}"\n', "c++", flags) == ""
