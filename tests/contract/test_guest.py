"""What the engine does to the process that loads it: nothing that others could notice."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import shared_library
from support.built import BUILD, PACKAGE, PYTHON_DIR

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo/model/kandinsky-demo"
MODULE = next(PACKAGE.glob("_core*.so"), PACKAGE / "_core.so")

# What a library of ours may ask the dynamic linker for. Builds of one version of torch differ in
# the name of their OpenMP library, so ours must not name it.
ALLOWED = re.compile(
    r"lib(c|m|stdc\+\+|gcc_s|kandinsky|torch_cpu|c10)\.so(\.\d+)*|ld-linux-x86-64\.so\.2"
)

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


IN_A_HOST = f"""
sys.path.insert(0, {str(ROOT / "tests/support/host_stub")!r})
import importlib
from modules import paths_internal, processing, scripts
paths_internal.models_path = f"{{FOLDER}}/models"
script, _ = scripts.load_script(Path({str(ROOT / "scripts/kandinsky.py")!r}))
# The engine under test, not one that install.py built for this checkout.
importlib.import_module("kandinsky_ext.engine").engine_folder = lambda: Path(FOLDER, "nowhere")
look("script loaded")
p = processing.StableDiffusionProcessingTxt2Img(
    prompt="a red circle", sampler_name="Euler a", width=128, height=128, steps=2, seed=1)
image = processing.generate(script, p).images[0]
report["colours"] = len(image.getcolors(128 * 128))
look("generated")
"""


@pytest.mark.parametrize("library", [BUILD / "libkandinsky.so", MODULE], ids=lambda path: path.name)
def test_only_system_libraries_and_torch_are_needed(library: Path) -> None:
    needed = shared_library.needed(library)
    assert [name for name in needed if not ALLOWED.fullmatch(name)] == []
    assert "libc.so.6" in needed


def test_importing_and_running_leaves_torch_as_it_was(tmp_path: Path) -> None:
    report = run_probe(tmp_path, "kandinsky()")
    check_unharmed(report)
    brought = {Path(path).name for path in set(report["ran"]) - set(report["before"])}
    modules = {name for name in brought if ".cpython-" in name}  # Python's and numpy's own
    assert {name.partition(".so")[0] for name in brought - modules} == {"libkandinsky"}
    assert MODULE.name in modules


def test_torch_is_as_it_was_after_an_image_in_a_host(tmp_path: Path) -> None:
    """The extension in the stand-in for a host's modules, with the engine itself behind it."""
    report = run_probe(tmp_path, IN_A_HOST)
    assert report["colours"] > 100
    assert any(Path(path).name.startswith("libkandinsky") for path in report["generated"])
    check_torch(report)


def test_no_symbol_of_torch_is_defined_by_what_we_bring() -> None:
    """Neither one that torch imports, nor one that our libraries import from torch."""
    import torch  # noqa: PLC0415

    folder = Path(torch.__file__).parent / "lib"
    of_torch = [folder / f"lib{name}.so" for name in ("c10", "torch_cpu", "torch_python")]
    wanted = set().union(*map(shared_library.imported_symbols, of_torch))
    assert "malloc" in wanted
    for library in (BUILD / "libkandinsky.so", MODULE):
        shown = shared_library.exported_symbols(library)
        assert not shown & wanted
        assert not shown & shared_library.imported_symbols(BUILD / "libkandinsky.so")


# Symbols of the libraries that are inside ours, as another library in the process may show them.
STRANGERS = """
#include <stdlib.h>
#define STRANGER(name) void name(void) { abort(); }
STRANGER(png_create_read_struct) STRANGER(png_create_write_struct) STRANGER(png_read_info)
STRANGER(jpeg_std_error) STRANGER(jpeg_CreateDecompress) STRANGER(jpeg_CreateCompress)
STRANGER(WebPDecode) STRANGER(WebPEncode) STRANGER(WebPDemuxInternal)
STRANGER(inflate) STRANGER(deflate) STRANGER(crc32) STRANGER(utf8proc_map)
STRANGER(_ZN4absl8internal12RegisterFlagERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE\
St10shared_ptrINS0_8FlagFuncEE)
STRANGER(_ZN13sentencepiece22SentencePieceProcessorC1Ev)
STRANGER(_ZN6google8protobuf5ArenaD1Ev) STRANGER(_ZN6google8protobuf11MessageLiteD2Ev)
char FLAGS_minloglevel[32];
"""


def test_libraries_of_the_same_names_do_not_meet_ours(tmp_path: Path) -> None:
    """Whatever a library shows to the whole process, our codecs and tokenizers are our own."""
    library = tmp_path / "libstrangers.so"
    subprocess.run(
        ["gcc", "-x", "c", "-shared", "-fPIC", "-w", "-o", library, "-"],
        input=STRANGERS,
        text=True,
        check=True,
    )
    load = f"strangers = ctypes.CDLL({str(library)!r}, mode=ctypes.RTLD_GLOBAL)"
    check_unharmed(run_probe(tmp_path, load, "kandinsky()"))


NEIGHBOURS = """
import cv2, numpy, sentencepiece
from google.protobuf import descriptor_pb2
nines = numpy.full((8, 8, 3), 9, numpy.uint8)
report["cv2"] = cv2.imdecode(cv2.imencode(".png", nines)[1], 1).mean()
tokenizer = f"{MODEL}/tokenizer/sentencepiece.bpe.model"
model = sentencepiece.SentencePieceProcessor(model_file=tokenizer)
report["pieces"] = len(model.encode("a red circle"))
message = descriptor_pb2.FileDescriptorProto(name="x")
assert descriptor_pb2.FileDescriptorProto.FromString(message.SerializeToString()).name == "x"
"""


@pytest.mark.parametrize("order", ["neighbours first", "kandinsky first"])
def test_beside_the_libraries_of_a_host(tmp_path: Path, order: str) -> None:
    """cv2, protobuf and another SentencePiece, in both orders; each works, and torch too."""
    steps = [NEIGHBOURS, "kandinsky()"]
    report = run_probe(tmp_path, *(steps if order == "neighbours first" else steps[::-1]))
    check_unharmed(report)
    assert report["cv2"] == 9
    assert report["pieces"] > 2
