"""Looks whether the engine, or what runs beside it, has changed the torch of its process."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.built import PYTHON_DIR

DEMO = Path(__file__).parents[2] / "demo/model/kandinsky-demo"

# Runs in a child: loads torch, notes what a library of another extension could depend on, does what
# is asked in the order asked, and tells what has changed.
PROBE = """
import ctypes, json, re, subprocess, sys
from pathlib import Path

import torch

def libraries():
    maps = Path("/proc/self/maps").read_text()
    return sorted({line.split()[-1] for line in maps.splitlines() if ".so" in line})

c10 = next(path for path in libraries() if path.endswith("/libc10.so"))
flags = {}
table = subprocess.run(["readelf", "--dyn-syms", "--wide", c10], capture_output=True, text=True)
for line in table.stdout.splitlines():
    found = re.search(r": [0-9a-f]+ +(\\d+) OBJECT .* (\\S*FLAGS_\\S+)$", line)
    if found:
        flags[found[2]] = int(found[1])
assert len(flags) > 3, flags
loaded = ctypes.CDLL(c10)

def flag_bytes():
    values = {}
    for name, size in flags.items():
        flag = (ctypes.c_char * size).in_dll(loaded, name)
        # and what lies behind, which a larger variable of the same name would overwrite
        values[name] = ctypes.string_at(ctypes.addressof(flag), 64).hex()
    return values

def too_much():
    try:
        torch.empty(25 * 10**12, dtype=torch.uint8)
    except RuntimeError as error:
        return "RuntimeError" if "allocate" in str(error) else str(error)
    return "no error"

report = {"flags": True, "too_much": [too_much()], "before": libraries()}
first = flag_bytes()

def look(step):
    report["flags"] = report["flags"] and flag_bytes() == first
    report["too_much"].append(too_much())
    report[step] = libraries()

engine = None
def kandinsky():
    import kandinsky_engine
    look("imported")
    engine = kandinsky_engine.Engine(MODEL)
    images = engine.text_to_image(
        ["a red circle"], seeds=[1], width=64, height=64, num_inference_steps=2,
        prior_num_inference_steps=2, guidance_scale=2)
    for name in ("a.png", "a.jpg", "a.webp"):
        kandinsky_engine.save_image(f"{FOLDER}/{name}", images[0])
        report[name] = float(kandinsky_engine.load_image(f"{FOLDER}/{name}").mean())
    report["mean"] = float(images.mean())
    engine.close()
    look("ran")
"""


def run_probe(tmp_path: Path, *steps: str) -> dict[str, object]:
    """Runs steps of Python after the probe; their report."""
    source = [f"MODEL, FOLDER = {str(DEMO)!r}, {str(tmp_path)!r}", textwrap.dedent(PROBE)]
    source += [*steps, "print(json.dumps(report))"]
    answer = subprocess.run(
        [sys.executable, "-c", "\n".join(source)],
        env={**os.environ, "PYTHONPATH": str(PYTHON_DIR)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert not answer.stderr
    report: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return report


def check_torch(report: dict[str, object]) -> None:
    assert report["flags"], "a flag of libc10 was written to"
    assert set(report["too_much"]) == {"RuntimeError"}


def check_unharmed(report: dict[str, object]) -> None:
    check_torch(report)
    # The image went through all formats, with the codecs that we brought.
    for name in ("a.png", "a.jpg", "a.webp"):
        assert report[name] == pytest.approx(report["mean"], abs=2)
