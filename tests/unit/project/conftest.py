"""Lets the tests import the developer scripts of tests/tools."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
