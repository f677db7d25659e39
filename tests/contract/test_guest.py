"""What the engine does to the process that loads it: nothing that others could notice."""

import re
import subprocess
from pathlib import Path

import pytest
from support import shared_library
from support.built import BUILD, PACKAGE, PROGRAM
from support.torch_probe import check_unharmed, run_probe

MODULE = next(PACKAGE.glob("_core*.so"), PACKAGE / "_core.so")

# What a library of ours may ask the dynamic linker for. Builds of one version of torch differ in
# the name of their OpenMP library, so ours must not name it.
ALLOWED = re.compile(
    r"lib(c|m|stdc\+\+|gcc_s|kandinsky|torch_cpu|c10)\.so(\.\d+)*|ld-linux-x86-64\.so\.2"
)


@pytest.mark.parametrize("library", [BUILD / "libkandinsky.so", MODULE], ids=lambda path: path.name)
def test_only_system_libraries_and_torch_are_needed(library: Path) -> None:
    needed = shared_library.needed(library)
    assert [name for name in needed if not ALLOWED.fullmatch(name)] == []
    assert "libc.so.6" in needed


def test_the_program_shows_nothing_of_what_it_brings() -> None:
    """Not of OpenSSL and libevent either, which it alone has: torch's libraries would meet them."""
    assert [name for name in shared_library.needed(PROGRAM) if not ALLOWED.fullmatch(name)] == []
    names = ("SSL_", "EVP_", "OPENSSL_", "CRYPTO_", "evhttp_", "event_", "png_", "inflate")
    shown = shared_library.exported_symbols(PROGRAM)
    assert {name for name in shown if name.startswith(names)} == set()


def test_importing_and_running_leaves_torch_as_it_was(tmp_path: Path) -> None:
    report = run_probe(tmp_path, "kandinsky()")
    check_unharmed(report)
    brought = {Path(path).name for path in set(report["ran"]) - set(report["before"])}
    modules = {name for name in brought if ".cpython-" in name}  # Python's and numpy's own
    assert {name.partition(".so")[0] for name in brought - modules} == {"libkandinsky"}
    assert MODULE.name in modules


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
