"""What is made from the engine's table of options is as it would be made now."""

import runpy
from pathlib import Path

import pytest
from support import built

built.use_built_package()


@pytest.mark.parametrize(
    ("place", "make"), [("KEYWORDS", "keywords"), ("DOCUMENT", "document"), ("API", "api")]
)
def test_what_is_made_of_the_table_is_up_to_date(root: Path, place: str, make: str) -> None:
    made = runpy.run_path(str(root / "tests/tools/make_keywords.py"))
    found = made[place].read_text(encoding="utf-8")
    assert found == made[make](), f"run tests/tools/make_keywords.py to write {made[place].name}"
