"""Makes the torch-free modules of demo/train importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "demo" / "train"))
