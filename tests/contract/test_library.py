"""What build/libkandinsky.so shows to the process that loads it."""

import ctypes
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import c_header, shared_library

INT, UINT, DOUBLE = ctypes.c_int32, ctypes.c_uint32, ctypes.c_double
TEXT, POINTER, SIZE = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t


def struct(*fields: tuple[str, Any]) -> type[ctypes.Structure]:
    return type("Struct", (ctypes.Structure,), {"_fields_": [("struct_size", UINT), *fields]})


# Each *_init's struct and what it must say. None is a null pointer.
DEFAULTS: dict[str, tuple[type[ctypes.Structure], dict[str, Any]]] = {
    "kandinsky_component_info": (
        struct(
            ("name", TEXT),
            ("class_name", TEXT),
            ("dtype", TEXT),
            ("parameters", ctypes.c_uint64),
            ("tensors", ctypes.c_uint64),
            ("bytes", ctypes.c_uint64),
            ("is_checked", INT),
        ),
        {"parameters": 0, "tensors": 0, "bytes": 0, "is_checked": 0},
    ),
    "kandinsky_engine_options": (
        struct(
            ("model_dir", TEXT),
            ("prior_dir", TEXT),
            ("device", TEXT),
            ("precision", TEXT),
            ("inpaint_dir", TEXT),
            ("max_memory", ctypes.c_uint64),
            ("without", TEXT),
            ("prior_device", TEXT),
            ("int8_weights", INT),
        ),
        {
            "model_dir": None,
            "prior_dir": None,
            "device": b"auto",
            "precision": b"auto",
            "inpaint_dir": None,
            "max_memory": 0,
            "without": None,
            "prior_device": None,
            "int8_weights": 0,
        },
    ),
    "kandinsky_memory_plan": (
        struct(
            ("holds_everything", INT),
            ("budget", ctypes.c_uint64),
            ("peak", ctypes.c_uint64),
            ("least", ctypes.c_uint64),
            ("text", TEXT),
        ),
        {"holds_everything": 0, "budget": 0, "peak": 0, "least": 0, "text": None},
    ),
    "kandinsky_engine_info": (
        struct(
            ("family", TEXT),
            ("device", TEXT),
            ("precision", TEXT),
            ("reason", TEXT),
            ("prior_dir", TEXT),
            ("native_size", INT),
            ("latent_channels", INT),
            ("latent_factor", INT),
            ("size_multiple", INT),
            ("inpaint_dir", TEXT),
        ),
        {"native_size": 0, "latent_channels": 0, "latent_factor": 0, "size_multiple": 0},
    ),
    "kandinsky_prompt_options": (
        struct(
            ("batch_size", INT),
            ("prompts", POINTER),
            ("negative_prompts", POINTER),
            ("seeds", POINTER),
            ("prior_num_inference_steps", INT),
            ("prior_guidance_scale", DOUBLE),
            ("negative_prior_prompts", POINTER),
            ("negative_image", TEXT),
            ("parse_weights", INT),
            ("long_prompts", INT),
        ),
        {
            "prompts": None,
            "negative_prompts": None,
            "seeds": None,
            "prior_num_inference_steps": 25,
            "prior_guidance_scale": 4.0,
            "negative_prior_prompts": None,
            "negative_image": b"zero",
            "parse_weights": 1,
            "long_prompts": 0,
        },
    ),
    "kandinsky_denoise_options": (
        struct(
            ("batch_size", INT),
            ("width", INT),
            ("height", INT),
            ("seeds", POINTER),
            ("sampler", TEXT),
            ("num_inference_steps", INT),
            ("guidance_scale", DOUBLE),
            ("noise", POINTER),
            ("scheduler", TEXT),
            ("guidance_rescale", DOUBLE),
            ("guidance_start", DOUBLE),
            ("guidance_end", DOUBLE),
            ("tiling", INT),
            ("variation_seeds", POINTER),
            ("variation_strength", DOUBLE),
            ("seed_resize_width", INT),
            ("seed_resize_height", INT),
            ("init_latents", POINTER),
            ("strength", DOUBLE),
            ("init_noise", TEXT),
            ("mask", POINTER),
            ("mask_method", TEXT),
            ("conditions", POINTER),
            ("condition_count", SIZE),
            ("negative_conditions", POINTER),
            ("negative_condition_count", SIZE),
            ("cache_interval", INT),
        ),
        {
            "width": 512,
            "height": 512,
            "seeds": None,
            "sampler": b"DDIM",
            "num_inference_steps": 50,
            "guidance_scale": 4.0,
            "noise": None,
            "scheduler": b"Automatic",
            "guidance_rescale": 0.0,
            "guidance_start": 0.0,
            "guidance_end": 1.0,
            "tiling": 0,
            "variation_seeds": None,
            "variation_strength": 0.0,
            "seed_resize_width": 0,
            "seed_resize_height": 0,
            "init_latents": None,
            "strength": 0.75,
            "init_noise": b"matched",
            "mask": None,
            "mask_method": b"auto",
            "conditions": None,
            "condition_count": 0,
            "negative_conditions": None,
            "negative_condition_count": 0,
            "cache_interval": 1,
        },
    ),
    "kandinsky_decode_options": (
        struct(("batch_size", INT), ("width", INT), ("height", INT), ("tiling", INT)),
        {"width": 512, "height": 512, "tiling": 0},
    ),
    "kandinsky_source_options": (
        struct(
            ("pictures", POINTER),
            ("picture_count", SIZE),
            ("masks", POINTER),
            ("mask_count", SIZE),
            ("resize", TEXT),
            ("mask_blur", INT),
            ("invert_mask", INT),
            ("mask_fill", TEXT),
            ("erode_mask", INT),
            ("composite", INT),
        ),
        {
            "pictures": None,
            "picture_count": 0,
            "masks": None,
            "mask_count": 0,
            "resize": b"stretch",
            "mask_blur": 4,
            "invert_mask": 0,
            "mask_fill": b"original",
            "erode_mask": 1,
            "composite": 1,
        },
    ),
}
STATUS_INVALID_ARGUMENT, STATUS_INCOMPATIBLE, STATUS_INTERNAL, LAST_STATUS = 1, 8, 9, 10


def initialise(library: ctypes.CDLL, name: str, value: ctypes.Structure) -> None:
    """What NAME_init of the header does."""
    library[f"{name}_init_sized"](ctypes.byref(value), SIZE(ctypes.sizeof(value)))


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


@pytest.mark.parametrize("name", DEFAULTS)
def test_init_fills_every_field(library: ctypes.CDLL, name: str) -> None:
    layout, defaults = DEFAULTS[name]
    value = layout()
    ctypes.memset(ctypes.byref(value), 0xAA, ctypes.sizeof(value))
    initialise(library, name, value)
    assert value.struct_size == ctypes.sizeof(value)
    assert {field: getattr(value, field) for field in defaults} == defaults
    for field, _ in layout._fields_[1:]:
        number = getattr(value, field)
        if isinstance(number, float):
            assert math.isfinite(number)
        elif isinstance(number, int):
            assert 0 <= number < 100_000, f"{field} was left as it was"


@pytest.mark.parametrize("name", DEFAULTS)
def test_init_writes_no_further_than_an_older_struct_goes(library: ctypes.CDLL, name: str) -> None:
    """A program that was built with an older header has a shorter one."""
    whole = DEFAULTS[name][0]
    for size in range(ctypes.sizeof(UINT), ctypes.sizeof(whole) + 1, ctypes.sizeof(UINT)):
        room = (ctypes.c_ubyte * (ctypes.sizeof(whole) + 64))()
        ctypes.memset(room, 0xAA, ctypes.sizeof(room))
        library[f"{name}_init_sized"](ctypes.byref(room), SIZE(size))
        assert UINT.from_buffer(room).value == size
        assert set(room[size:]) == {0xAA}


def test_every_init_has_its_defaults_here(header: str) -> None:
    assert c_header.initialised(header) == set(DEFAULTS)


def test_the_library_lists_what_it_offers(library: ctypes.CDLL) -> None:
    listed = {}
    for what in ("sampler", "scheduler", "speedup", "family"):
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
    layout, _ = DEFAULTS["kandinsky_engine_options"]
    options = layout()
    engine = POINTER(0)
    library.kandinsky_last_error.restype = TEXT
    assert (
        library.kandinsky_engine_open(ctypes.byref(options), ctypes.byref(engine))
        == STATUS_INVALID_ARGUMENT
    )
    assert b"struct_size" in library.kandinsky_last_error()
    assert engine.value is None


def test_null_is_refused_and_freeing_it_is_fine(library: ctypes.CDLL) -> None:
    engine = POINTER(0)
    assert library.kandinsky_engine_open(None, ctypes.byref(engine)) == STATUS_INVALID_ARGUMENT
    folder = POINTER(0)
    assert library.kandinsky_folder_open(None, ctypes.byref(folder)) == STATUS_INVALID_ARGUMENT
    for name in ("engine", "folder", "embeds", "picture"):
        library[f"kandinsky_{name}_free"](None)


def test_a_struct_of_a_newer_library_is_refused(library: ctypes.CDLL) -> None:
    """It may hold a wish that this library would pass over in silence."""
    layout, _ = DEFAULTS["kandinsky_engine_options"]
    options = layout()
    initialise(library, "kandinsky_engine_options", options)
    options.model_dir = b"nowhere"
    options.struct_size = ctypes.sizeof(options) + 8
    engine = POINTER(0)
    assert (
        library.kandinsky_engine_open(ctypes.byref(options), ctypes.byref(engine))
        == STATUS_INCOMPATIBLE
    )
