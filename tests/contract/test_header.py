"""kandinsky.h as other people's compilers read it."""

from dataclasses import replace
from pathlib import Path

import pytest
from support import c_header
from support.c_header import Field

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors"]

# What programs were compiled against: name, offset and size in bytes of each field, 64-bit Linux. A
# struct grows at its end only: add lines, never change one.
RECORDED: dict[str, list[Field]] = {
    "kandinsky_component_info": [
        Field("struct_size", 0, 4),
        Field("name", 8, 8),
        Field("class_name", 16, 8),
        Field("dtype", 24, 8),
        Field("parameters", 32, 8),
        Field("tensors", 40, 8),
        Field("bytes", 48, 8),
        Field("is_checked", 56, 4),
    ],
    "kandinsky_engine_options": [
        Field("struct_size", 0, 4),
        Field("model_dir", 8, 8),
        Field("prior_dir", 16, 8),
        Field("device", 24, 8),
        Field("precision", 32, 8),
        Field("inpaint_dir", 40, 8),
        Field("max_memory", 48, 8),
        Field("without", 56, 8),
        Field("prior_device", 64, 8),
        Field("int8_weights", 72, 4),
    ],
    "kandinsky_memory_plan": [
        Field("struct_size", 0, 4),
        Field("holds_everything", 4, 4),
        Field("budget", 8, 8),
        Field("peak", 16, 8),
        Field("least", 24, 8),
        Field("text", 32, 8),
    ],
    "kandinsky_engine_info": [
        Field("struct_size", 0, 4),
        Field("family", 8, 8),
        Field("device", 16, 8),
        Field("precision", 24, 8),
        Field("reason", 32, 8),
        Field("prior_dir", 40, 8),
        Field("native_size", 48, 4),
        Field("latent_channels", 52, 4),
        Field("latent_factor", 56, 4),
        Field("size_multiple", 60, 4),
        Field("inpaint_dir", 64, 8),
    ],
    "kandinsky_progress": [
        Field("struct_size", 0, 4),
        Field("stage", 8, 8),
        Field("step", 16, 4),
        Field("steps", 20, 4),
        Field("latents", 24, 8),
        Field("shape", 32, 16),
    ],
    "kandinsky_prompt_options": [
        Field("struct_size", 0, 4),
        Field("batch_size", 4, 4),
        Field("prompts", 8, 8),
        Field("negative_prompts", 16, 8),
        Field("seeds", 24, 8),
        Field("prior_num_inference_steps", 32, 4),
        Field("prior_guidance_scale", 40, 8),
        Field("negative_prior_prompts", 48, 8),
        Field("negative_image", 56, 8),
        Field("parse_weights", 64, 4),
        Field("long_prompts", 68, 4),
    ],
    "kandinsky_denoise_options": [
        Field("struct_size", 0, 4),
        Field("batch_size", 4, 4),
        Field("width", 8, 4),
        Field("height", 12, 4),
        Field("seeds", 16, 8),
        Field("sampler", 24, 8),
        Field("num_inference_steps", 32, 4),
        Field("guidance_scale", 40, 8),
        Field("noise", 48, 8),
        Field("scheduler", 56, 8),
        Field("guidance_rescale", 64, 8),
        Field("guidance_start", 72, 8),
        Field("guidance_end", 80, 8),
        Field("tiling", 88, 4),
        Field("variation_seeds", 96, 8),
        Field("variation_strength", 104, 8),
        Field("seed_resize_width", 112, 4),
        Field("seed_resize_height", 116, 4),
        Field("init_latents", 120, 8),
        Field("strength", 128, 8),
        Field("init_noise", 136, 8),
        Field("mask", 144, 8),
        Field("mask_method", 152, 8),
        Field("conditions", 160, 8),
        Field("condition_count", 168, 8),
        Field("negative_conditions", 176, 8),
        Field("negative_condition_count", 184, 8),
        Field("cache_interval", 192, 4),
    ],
    "kandinsky_decode_options": [
        Field("struct_size", 0, 4),
        Field("batch_size", 4, 4),
        Field("width", 8, 4),
        Field("height", 12, 4),
        Field("tiling", 16, 4),
    ],
    "kandinsky_source_options": [
        Field("struct_size", 0, 4),
        Field("pictures", 8, 8),
        Field("picture_count", 16, 8),
        Field("masks", 24, 8),
        Field("mask_count", 32, 8),
        Field("resize", 40, 8),
        Field("mask_blur", 48, 4),
        Field("invert_mask", 52, 4),
        Field("mask_fill", 56, 8),
        Field("erode_mask", 64, 4),
        Field("composite", 68, 4),
    ],
    "kandinsky_picture": [
        Field("pixels", 0, 8),
        Field("width", 8, 4),
        Field("height", 12, 4),
        Field("channels", 16, 4),
    ],
    "kandinsky_condition": [
        Field("row", 0, 4),
        Field("picture", 4, 4),
        Field("first_step", 8, 4),
        Field("last_step", 12, 4),
        Field("weight", 16, 8),
    ],
}

# These come in arrays, so they never grow.
FIXED = {"kandinsky_picture", "kandinsky_condition"}


@pytest.mark.parametrize(
    ("language", "standard"),
    [("c", "c11"), ("c", "c17"), ("c++", "c++17"), ("c++", "c++20")],
)
def test_kandinsky_h_compiles_alone(root: Path, language: str, standard: str) -> None:
    flags = [*STRICT, f"-std={standard}", f"-I{root / 'core/include'}"]
    use = "int main(void) { return (int)KANDINSKY_OK; }\n"
    # Twice: the guard is part of the promise.
    both = '#include "kandinsky.h"\n#include "kandinsky.h"\n'
    assert c_header.compile_errors(both + use, language, flags) == ""


def test_kandinsky_hpp_compiles_alone(root: Path) -> None:
    flags = [*STRICT, "-std=c++17", f"-I{root / 'core/include'}"]
    source = '#include "kandinsky.hpp"\nint main() { return sizeof(kandinsky::Engine) == 0; }\n'
    assert c_header.compile_errors(source, "c++", flags) == ""


@pytest.mark.parametrize(
    "addition",
    [
        "bool kandinsky_ready(void);",  # no bool in C11 without stdbool.h
        "typedef struct { int32_t a; };",
        "static int kandinsky_unused(int a) { return 0; }",
        "void kandinsky_later();\nvoid kandinsky_later(int32_t a, ...)\n",
        "enum kandinsky_trailing { KANDINSKY_A, };;",
    ],
)
def test_a_header_that_is_not_strict_c_is_seen(header: str, addition: str) -> None:
    broken = header + addition + "\n"
    assert c_header.compile_errors(broken, "c", [*STRICT, "-std=c11"]) != ""


def test_struct_layouts_are_the_recorded_ones(root: Path, tmp_path: Path) -> None:
    actual = c_header.layouts(root / "core/include/kandinsky.h", tmp_path)
    assert c_header.layout_changes(RECORDED, actual, FIXED) == []


def test_every_growing_struct_has_an_init(header: str) -> None:
    # Progress is made by the library and only read by programs.
    made_by_callers = set(c_header.structs(header)) - {"kandinsky_progress"} - FIXED
    assert c_header.initialised(header) == made_by_callers


def test_a_changed_layout_is_seen() -> None:
    size, first, second = Field("struct_size", 0, 4), Field("a", 4, 4), Field("b", 8, 8)
    recorded = {"s": [size, first, second]}
    changes = c_header.layout_changes
    assert changes(recorded, {"s": [size, first, second]}) == []
    swapped = [size, replace(second, offset=4, size=4), replace(first, offset=8, size=8)]
    assert len(changes(recorded, {"s": swapped})) == 2
    assert "nothing" in changes(recorded, {"s": [size, first]})[0]
    assert "record it" in changes(recorded, {"s": [size, first, second, Field("c", 16, 4)]})[0]
    assert changes(recorded, {}) == ["s is gone"]
    headless = {"t": [Field("a", 0, 4)]}
    assert changes(headless, headless) == ["t does not start with uint32_t struct_size"]
    assert changes(headless, headless, {"t"}) == []
    grown = {"t": [Field("a", 0, 4), Field("b", 4, 4)]}
    assert changes(headless, grown, {"t"}) == [f"t: {grown['t'][1]} is new, but t cannot grow"]


def test_layouts_come_from_the_compiler(tmp_path: Path) -> None:
    header = tmp_path / "sample.h"
    header.write_text(
        "#include <stddef.h>\n#include <stdint.h>\n"
        "typedef struct sample {\n"
        "  uint32_t struct_size; /* a comment; with a semicolon */\n"
        "  const char* name; // and another\n"
        "  int32_t shape[4];\n"
        "} sample;\n",
        encoding="utf-8",
    )
    expected = [Field("struct_size", 0, 4), Field("name", 8, 8), Field("shape", 16, 16)]
    assert c_header.layouts(header, tmp_path) == {"sample": expected}
