"""What build/libkandinsky.so shows to the process that loads it."""

import ctypes
import subprocess
from pathlib import Path

import pytest
from support import c_header, shared_library

TEXT, POINTER, SIZE = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t
INVALID_ARGUMENT, LAST_STATUS = 1, 10


def built(folder: Path, source: str, *flags: str) -> Path:
    library = folder / "libsample.so"
    subprocess.run(
        ["g++", "-x", "c++", "-shared", "-fPIC", *flags, "-o", library, "-"],
        input=source,
        text=True,
        check=True,
    )
    return library


def test_exports_are_the_functions_of_the_header(library_path: Path, header: str) -> None:
    declared = c_header.functions(header)
    assert len(declared) > 30
    assert shared_library.exported_symbols(library_path) == declared


def test_every_exported_symbol_is_seen(tmp_path: Path) -> None:
    source = 'extern "C" int kandinsky_one() { return 1; }\nint leaked() { return 2; }\n'
    assert shared_library.exported_symbols(built(tmp_path, source)) == {
        "kandinsky_one",
        "_Z6leakedv",
    }


def test_declared_functions_are_found_in_a_header() -> None:
    text = """
      /* KANDINSKY_API void kandinsky_commented(void); */
      #define KANDINSKY_API __attribute__((visibility("default")))
      KANDINSKY_API const char* kandinsky_one(void);
      KANDINSKY_API kandinsky_status kandinsky_two(const kandinsky_engine* engine,
                                                   int32_t (*callback)(void));
      typedef void (*kandinsky_callback)(void);
    """
    assert c_header.functions(text) == {"kandinsky_one", "kandinsky_two"}


def test_no_run_path_is_baked_in(library_path: Path) -> None:
    assert shared_library.run_paths(library_path) == []


@pytest.mark.parametrize("dtags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_run_path_is_seen(tmp_path: Path, dtags: str) -> None:
    flag = f"-Wl,{dtags},-rpath,/some/where:$ORIGIN"
    assert shared_library.run_paths(built(tmp_path, "", flag)) == ["/some/where", "$ORIGIN"]


def test_the_python_module_looks_beside_itself_only(root: Path) -> None:
    package = root / "build/python/kandinsky_engine"
    modules = list(package.glob("_core*.so"))
    assert len(modules) == 1
    assert shared_library.run_paths(modules[0]) == ["$ORIGIN"]


def test_init_empties_a_struct_of_any_size(library: ctypes.CDLL, header: str) -> None:
    """A program that was built with another header has a shorter or a longer one."""
    assert "kandinsky_engine_info" in c_header.initialised(header)
    for name in c_header.initialised(header):
        for size in range(4, 257, 4):
            room = (ctypes.c_ubyte * 300)(*[0xAA] * 300)
            library[f"{name}_init_sized"](room, SIZE(size))
            said = size.to_bytes(4, "little")
            assert bytes(room) == said + bytes(size - 4) + b"\xaa" * (300 - size), name


def test_the_library_lists_what_it_offers(library: ctypes.CDLL) -> None:
    listed = {}
    for what in ("sampler", "scheduler", "speedup", "family", "operation"):
        count = library[f"kandinsky_{what}_count"]
        count.restype = ctypes.c_size_t
        name = library[f"kandinsky_{what}_name"]
        name.restype = TEXT
        name.argtypes = [ctypes.c_size_t]
        names = [name(index) for index in range(count())]
        assert names
        assert len(set(names)) == len(names)
        assert all(names)
        assert name(count()) is None
        listed[what] = names
    assert listed["sampler"][0] == b"DDIM"
    assert listed["scheduler"][0] == b"Automatic"
    assert b"kandinsky-2-1" in listed["family"]
    describe = library.kandinsky_scheduler_description
    describe.restype = TEXT
    describe.argtypes = [ctypes.c_size_t]
    count = len(listed["scheduler"])
    assert all(describe(index) for index in range(count))
    assert describe(count) is None


def test_every_status_has_a_name(library: ctypes.CDLL) -> None:
    name = library.kandinsky_status_name
    name.restype = TEXT
    names = [name(status) for status in range(LAST_STATUS + 1)]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_struct_without_its_size_is_refused(library: ctypes.CDLL) -> None:
    """A program that forgot *_init gets an answer, not a crash."""
    info = (ctypes.c_ubyte * 256)()
    library.kandinsky_last_error.restype = TEXT
    assert library.kandinsky_option_get_info(b"engine", SIZE(0), info) == INVALID_ARGUMENT
    assert b"struct_size" in library.kandinsky_last_error()
    assert not any(info)


def test_null_is_refused_and_freeing_it_is_fine(library: ctypes.CDLL) -> None:
    out = POINTER(0)
    for name in ("engine_open", "folder_open", "options_new", "image_load", "embeds_load"):
        assert library[f"kandinsky_{name}"](None, ctypes.byref(out)) == INVALID_ARGUMENT
        assert out.value is None
    for name in ("engine", "folder", "options", "embeds", "image"):
        library[f"kandinsky_{name}_free"](None)
