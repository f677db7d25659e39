"""Lets the tests import the modules of tests/hosts."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/hosts"), str(ROOT / "tests"), str(ROOT / "extension")]
