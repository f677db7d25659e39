"""What a process holds after the extension has unloaded the engine."""

import os
import subprocess
import sys
from pathlib import Path

from support import built

ROOT = Path(__file__).parents[2]
MOST_MEGABYTES = 40
"""Besides pages of files, which the system takes back when it needs to."""
SIZES = (512, 256, 128, 384)
"""Of images, each with shapes of its own."""
CODE = """
import sys
from pathlib import Path

root, built, *sizes = sys.argv[1:]
sys.path[:0] = [f"{root}/tests/support/host_stub", f"{root}/extension", built]
import torch, kandinsky_engine
from kandinsky_ext.engine import EngineKey, keeper
from kandinsky_ext.host import tools


def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024 / 1e6


torch.ones(2, 2) @ torch.ones(2, 2)
tools.free_memory()
before = resident()
engine = keeper.get(
    EngineKey.of(Path(root) / "demo/model/kandinsky-demo", precision="fp32")
).engine
for size in map(int, sizes):
    engine.text_to_image(
        prompts=["a star"], seeds=[1], width=size, height=size, num_inference_steps=2
    )
used = resident()
torch.set_default_dtype(torch.float64)  # as a host or another extension may
keeper.unload()
tools.free_memory()
print(used - before, resident() - before)
"""


def test_unloading_gives_back_what_images_of_many_sizes_took() -> None:
    unlimited = {name: value for name, value in os.environ.items() if "CACHE_CAPACITY" not in name}
    done = subprocess.run(
        [sys.executable, "-c", CODE, ROOT, built.PYTHON_DIR, *map(str, SIZES)],
        capture_output=True,
        text=True,
        check=False,
        env={**unlimited, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
    used, left = map(float, done.stdout.split())
    assert used > 2 * MOST_MEGABYTES
    assert left < MOST_MEGABYTES
