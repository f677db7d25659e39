"""Programs of their own, in which the package may do what would end the tests."""

import os
import subprocess
import sys
from pathlib import Path

from support.built import PYTHON_DIR

# What most of them begin with.
PRELUDE = """
import atexit, os, signal, sys, threading, time, types
import kandinsky_engine as kandinsky

MODEL = sys.argv[1]

def generate(engine, steps=999):
    return engine.text_to_image(
        ["x"], seeds=[1], width=64, height=64, num_inference_steps=steps,
        prior_num_inference_steps=2,
    )

def reached(engine, stage="denoise", then=lambda: None):
    event = threading.Event()
    def watch(progress):
        if progress.stage == stage and progress.step == min(1, progress.steps - 1):
            event.set()
            then()
    engine.on_progress = watch
    return event

def start(job, daemon=True):
    thread = threading.Thread(target=job, daemon=daemon)
    thread.start()
    return thread
"""


def run_python(
    program: str | Path,
    *arguments: str | Path,
    code: int = 0,
    timeout: float = 600,
    **variables: str,
) -> str:
    """What a program, given as text or file, prints that has the package on its path.

    It must end with that code.
    """
    start = [program] if isinstance(program, Path) else ["-c", program]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        env={**os.environ, "PYTHONPATH": str(PYTHON_DIR), **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, f"{done.returncode}: {done.stderr[-3000:]}"
    return done.stdout
