"""Lets `python bindings/kandinsky_engine/get` do without an engine."""

import importlib
import sys
from pathlib import Path

# As a package of its own, since importing kandinsky_engine wants torch and the compiled engine.
sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.exit(importlib.import_module("get.cli").main())
