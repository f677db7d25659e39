"""The include graph of the C++ sources: who may include whom, and the check of a tree."""

import re
from collections.abc import Iterator
from pathlib import Path

NETWORKS = ("nn/encoders", "nn/prior", "nn/unet", "nn/movq")
STAGE = ("nn/layers", "nn", "tensor", "io", "base")
BELOW_PIPELINES = (
    "options",
    *("base", "io", "io/images", "text", "images", "tensor", "nn/kernels", "samplers"),
)

# Each folder and the folders that it may see besides itself. Stages never see each other, samplers
# never see a network, files never see text; the command line and the bindings see the public
# headers only.
MAY_INCLUDE: dict[str, tuple[str, ...]] = {
    "include": (),
    "base": (),
    "io": ("base",),
    "io/images": ("io", "base"),
    "text": ("io", "base"),  # vocabularies are read by the same guarded readers as all other files
    "images": ("io/images", "base"),
    "tensor": ("io", "base"),
    "nn": ("tensor", "io", "base"),  # the few files right in nn/, which every stage shares
    "nn/kernels": ("tensor", "base"),
    "nn/layers": ("nn/kernels", "tensor", "base"),
    "nn/encoders": STAGE,
    "nn/prior": STAGE,
    "nn/unet": STAGE,
    "nn/movq": STAGE,
    "samplers": ("tensor", "io", "base"),
    "convert": ("tensor", "io", "base"),
    # names of samplers and speed-ups are words of options
    "options": ("samplers", "images", "tensor", "text", "io/images", "io", "base"),
    "pipelines": BELOW_PIPELINES,  # what its rooms share
    "pipelines/memory": ("pipelines", *BELOW_PIPELINES),
    "pipelines/text": (
        "pipelines",
        "pipelines/memory",
        "nn/encoders",
        "nn/prior",
        *BELOW_PIPELINES,
    ),
    "pipelines/images": ("pipelines", "nn/encoders", *BELOW_PIPELINES),
    "pipelines/denoise": ("pipelines", "pipelines/images", "nn/unet", *BELOW_PIPELINES),
    "pipelines/families/kandinsky_2": (  # what the families of Kandinsky 2 share
        *("pipelines/memory", "pipelines/text", "pipelines/images", "pipelines/denoise"),
        *("pipelines", "nn", *NETWORKS, *BELOW_PIPELINES),
    ),
    **dict.fromkeys(
        ("pipelines/families/kandinsky_2_1", "pipelines/families/kandinsky_2_2"),
        ("pipelines/families/kandinsky_2", "pipelines", *BELOW_PIPELINES),
    ),
    "pipelines/families": (
        *("pipelines/families/kandinsky_2_1", "pipelines/families/kandinsky_2_2"),
        *("pipelines", *BELOW_PIPELINES),
    ),
    "engine": (
        *("convert", "include", "pipelines/families", "pipelines/images", "pipelines/text"),
        *("pipelines", *BELOW_PIPELINES),
    ),
    "jobs": ("include", "base"),
    "serve": ("include", "jobs", "base"),
    "cli": ("include", "jobs", "serve"),
    "bindings": ("include", "jobs"),
}

TORCH = ("torch/", "ATen/", "c10/", "caffe2/")
JSON = ("nlohmann/",)
PARSERS = (*JSON, "sentencepiece", "opencv2/", "png.h", "jpeglib.h", "webp/")
# Torch-free code is compiled with another string layout than torch code, so neither sees the
# other's libraries.
NEVER: dict[str, tuple[str, ...]] = {
    "include": (*TORCH, *PARSERS),
    "base": TORCH,
    "io": (*TORCH, *(name for name in PARSERS if name not in JSON)),
    "io/images": (*TORCH, *JSON),
    "text": TORCH,
    "jobs": (*TORCH, *(name for name in PARSERS if name not in JSON)),
    "serve": (*TORCH, *(name for name in PARSERS if name not in JSON)),
    "cli": (*TORCH, *(name for name in PARSERS if name not in JSON)),
    "bindings": (*TORCH, *PARSERS),
}

_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    """Every C++ source with the name of its folder in the table."""
    for top in ("core", "bindings"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in {".h", ".hpp", ".cpp"}:
                yield folder_of(path.relative_to(root)), path


def folder_of(path: Path) -> str:
    """The table's name of a file's folder, e.g. "nn/unet" for core/nn/unet/unet.cpp."""
    return "bindings" if path.parts[0] == "bindings" else "/".join(path.parts[1:-1])


def _own_header(root: Path, source: Path, name: str) -> Path | None:
    for base in (root / "core", root / "core" / "include", source.parent):
        if (base / name).is_file():
            return (base / name).resolve().relative_to(root.resolve())
    return None


def violations(root: Path) -> list[str]:
    """One line per include under root/core and root/bindings that breaks the table."""
    found = []
    for folder, source in _sources(root):
        where = source.relative_to(root)
        if folder not in MAY_INCLUDE:
            found.append(f"{where}: the folder {folder} is not in the table of include_graph.py")
            continue
        forbidden = NEVER.get(folder, PARSERS)
        for quote, name in _INCLUDE.findall(
            _BLOCK_COMMENT.sub("", source.read_text(encoding="utf-8"))
        ):
            own = _own_header(root, source, name)
            if own is not None:
                target = folder_of(own)
                if target not in (folder, *MAY_INCLUDE[folder]):
                    found.append(f"{where}: includes {name}, but {folder} may not see {target}")
            elif name.startswith(forbidden):
                found.append(f"{where}: includes {name}, a library that {folder} may not see")
            elif quote == '"':
                found.append(
                    f"{where}: includes {name}, which is no file of ours; use <> for a library"
                )
    return found
