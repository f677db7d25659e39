"""Lets the tests import the developer scripts of tests/tools and the demo's own."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "tests/tools"), str(ROOT / "demo")]
