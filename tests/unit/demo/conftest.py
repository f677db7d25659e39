"""Makes the torch-free modules of demo/train and demo/score importable."""

import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "demo"
sys.path[:0] = [str(DEMO / "train"), str(DEMO / "score")]
