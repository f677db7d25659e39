"""Lets the tests of the command line import tests/support."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
