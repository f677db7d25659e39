"""Lets the tests of the command line import tests/support and the built package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support import built

built.use_built_package()
