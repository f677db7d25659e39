"""Where the built things are, and small models to run them on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Another build folder, such as build-asan, may be tested instead.
BUILD = Path(os.environ.get("KANDINSKY_BUILD_DIR", ROOT / "build")).resolve()
PROGRAM = BUILD / "kandinsky"
PYTHON_DIR = BUILD / "python"
PACKAGE = PYTHON_DIR / "kandinsky_engine"

MODEL = "tiny-2-1"
PRIOR = "tiny-2-1-prior"
INPAINT = "tiny-2-1-inpaint"
MODEL_2_2 = "tiny-2-2-decoder"
DEPTH_2_2 = "tiny-2-2-controlnet-depth"
INPAINT_2_2 = "tiny-2-2-decoder-inpaint"
PRIOR_2_2 = "tiny-2-2-prior"
NATIVE_SIZE = 64
UNET_WEIGHTS = Path("unet/diffusion_pytorch_model.safetensors")


def use_built_package() -> None:
    """Lets `import kandinsky_engine` find the one in the build folder."""
    if str(PYTHON_DIR) not in sys.path:
        sys.path.insert(0, str(PYTHON_DIR))


def make_models(folder: Path, *more: str) -> Path:
    """Writes the tiny model, its prior and more models below folder. Returns the model's folder."""
    _write_models(folder, MODEL, PRIOR, *more)
    return folder / MODEL


def make_kandinsky_2_2(folder: Path) -> Path:
    """Writes all tiny models of Kandinsky 2.2 below folder, which is returned."""
    _write_models(folder, MODEL_2_2, DEPTH_2_2, INPAINT_2_2, PRIOR_2_2)
    return folder


def _write_models(folder: Path, *models: str) -> None:
    subprocess.run(
        [sys.executable, ROOT / "tests/support/tiny_model.py", folder, "--models", *models],
        check=True,
        capture_output=True,
    )


def copy_models(model: Path, folder: Path, name: str = MODEL) -> Path:
    """Copies a model and its prior as hard links: replace files there, never write into them."""
    for source, target in (
        (model, name),
        (model.with_name(f"{model.name}-prior"), f"{name}-prior"),
    ):
        shutil.copytree(source, folder / target, copy_function=os.link)
    return folder / name


def replace(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Gives path new content without touching other links to the old one."""
    content = change(path.read_bytes())
    path.unlink()
    path.write_bytes(content)


def run_program(
    *arguments: str | bytes | Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Runs the command line `kandinsky`."""
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
