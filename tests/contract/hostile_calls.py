"""Calls every function of kandinsky.h with hostile values, in one process.

    hostile_calls.py LIBRARY HEADER MODEL FOLDER

Run by test_hostile_calls. For each parameter of each function, and each field of each struct that
it takes, a good call is made once more with that one value spoiled. Says each call before it is
made; the last line is `N calls`.
"""

import ctypes
import itertools
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch  # noqa: F401 - the library finds it in the process

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import c_header

OK, INVALID_ARGUMENT, INCOMPATIBLE, INTERNAL = 0, 1, 8, 9
SIDE = 64
LATENTS = 4 * 8 * 8
PIXELS = SIDE * SIDE * 3

NUMBERS = {
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "double": ctypes.c_double,
    "kandinsky_status": ctypes.c_int,
}
HOSTILE: dict[Any, list[Any]] = {
    ctypes.c_int32: [-1, -(2**31), 2**31 - 1, 0],
    ctypes.c_uint32: [0, 1, 2**32 - 1],
    ctypes.c_size_t: [2**40, 2**64 - 1],
    ctypes.c_double: [math.nan, math.inf, -math.inf, -1e308, 1e308],
    ctypes.c_char_p: [None, b"", b"\xff\xfe", b"%s%n", b"x" * 100_000],
    ctypes.c_void_p: [None],
}
# Without them a default holds, or that side is not wanted.
OPTIONAL = {
    "parameters",
    "callback",
    "user_data",
    "negative_embeds",
    "source",
    "text",
    "kandinsky_encode_prompts.embeds",
    "kandinsky_encode_prompts.negative_embeds",
    "kandinsky_picture_decode.name",
}


def type_of(declared: str) -> Any:
    if declared == "const char*":
        return ctypes.c_char_p
    if declared.endswith("]"):
        base, _, count = declared.partition("[")
        return NUMBERS[base] * int(count[:-1]) if base in NUMBERS else ctypes.c_void_p
    return NUMBERS.get(declared, ctypes.c_void_p)


class Caller:
    def __init__(self, library: Path, header: Path, model: Path, folder: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.kandinsky_last_error.restype = ctypes.c_char_p
        text = header.read_text(encoding="utf-8")
        self.functions = c_header.prototypes(text)
        self.members = c_header.members(text)
        self.structs = {
            name: type(
                name, (ctypes.Structure,), {"_fields_": [(f, type_of(t)) for t, f in fields]}
            )
            for name, fields in self.members.items()
        }
        self.initialised = c_header.initialised(text)
        self.model, self.folder = model, folder
        self.kept: list[Any] = []
        self.calls = 0
        self.known = {int(number) for number in re.findall(r"KANDINSKY_\w+ =\s*(\d+)", text)}
        self.counter = itertools.count()
        self.seed = (ctypes.c_uint64 * 1)(1)
        self.words = (ctypes.c_char_p * 1)(b"a cat")
        self.floats = (ctypes.c_float * LATENTS)(*([0.5] * LATENTS))
        self.bytes = (ctypes.c_ubyte * PIXELS)()
        self.row = (ctypes.c_int32 * 1)(0)
        self.weight = (ctypes.c_double * 1)(1.0)
        self.condition = self.structs["kandinsky_condition"](0, 0, 1, 3, 1.0)
        self.picture = self.structs["kandinsky_picture"](
            ctypes.cast(self.bytes, ctypes.c_void_p), SIDE, SIDE, 3
        )
        self.engine = self.made("kandinsky_engine_open", self.struct("kandinsky_engine_options"))
        self.opened = self.made("kandinsky_folder_open", str(model).encode())
        prompts = self.struct("kandinsky_prompt_options")
        self.embeds = ctypes.c_void_p()
        status = self.library.kandinsky_encode_prompts(
            self.engine, ctypes.byref(prompts), ctypes.byref(self.embeds), None
        )
        assert status == OK, self.library.kandinsky_last_error()
        self.items = (ctypes.c_void_p * 1)(self.embeds)
        self.saved = str(folder / "saved.safetensors").encode()
        assert self.library.kandinsky_embeds_save(self.embeds, self.saved) == OK
        self.image = str(folder / "image.png").encode()
        assert self.library.kandinsky_picture_save(self.image, self.bytes, SIDE, SIDE, None) == OK

    def made(self, function: str, argument: Any) -> ctypes.c_void_p:
        out = ctypes.c_void_p()
        if isinstance(argument, ctypes.Structure):
            argument = ctypes.byref(argument)
        status = self.library[function](argument, ctypes.byref(out))
        assert status == OK, self.library.kandinsky_last_error()
        return out

    def struct(self, name: str) -> Any:
        value = self.structs[name]()
        size = ctypes.c_size_t(ctypes.sizeof(value))
        self.library[f"{name}_init_sized"](ctypes.byref(value), size)
        pointer = ctypes.c_void_p
        good: dict[str, Any] = {
            "model_dir": str(self.model).encode(),
            "device": b"cpu",
            "precision": b"fp32",
            "batch_size": 1,
            "prompts": ctypes.cast(self.words, pointer),
            "seeds": ctypes.cast(self.seed, pointer),
            "prior_num_inference_steps": 2,
            "num_inference_steps": 3,
            "width": SIDE,
            "height": SIDE,
            "conditions": ctypes.cast(ctypes.byref(self.condition), pointer),
            "condition_count": 1,
            "negative_conditions": ctypes.cast(ctypes.byref(self.condition), pointer),
            "negative_condition_count": 1,
            "pictures": ctypes.cast(ctypes.byref(self.picture), pointer),
            "picture_count": 1,
            "masks": ctypes.cast(ctypes.byref(self.picture), pointer),
            "mask_count": 1,
            "strength": 0.5,
        }
        fields = {field for _, field in self.members[name]}
        for field, content in good.items():
            if field in fields:
                setattr(value, field, content)
        return value

    def good(self, function: str, declared: str, name: str) -> Any:
        """A value that a good call has in this place."""
        plain = declared.replace("const ", "").replace(" const", "")
        if plain.rstrip("*") in self.initialised:
            return self.struct(plain.rstrip("*"))
        by_type = {
            "kandinsky_engine*": self.engine,
            "kandinsky_folder*": self.opened,
            "kandinsky_embeds*": self.embeds,
            "kandinsky_embeds**": self.items,
            "kandinsky_picture*": ctypes.byref(self.picture),
            "kandinsky_progress_fn": None,
            "kandinsky_message_fn": None,
            "void*": None,
            "uint64_t*": self.seed,
            "uint8_t*": self.bytes,
            "float*": self.floats,
            "double*": self.weight,
            "int32_t*": self.row,
            "int64_t[3]": (ctypes.c_int64 * 3)(),
            "float**": ctypes.byref(ctypes.c_void_p()),
        }
        if plain.endswith("**") and (name == "out" or not declared.startswith("const")):
            return ctypes.byref(ctypes.c_void_p())
        if name.startswith("latent_"):
            return (ctypes.c_int32 * 1)()
        if plain in by_type:
            return by_type[plain]
        numbers = {
            "width": SIDE,
            "height": SIDE,
            "batch_size": 1,
            "threads": 2,
            "count": 1,
            "index": 0,
            "status": 1,
            "latents_size": LATENTS,
            "pictures_size": PIXELS,
            "size": LATENTS if function == "kandinsky_denoise" else PIXELS,
        }
        if declared in NUMBERS:
            return NUMBERS[declared](numbers[name])
        words = {
            "name": b"image_embeds",
            "method": b"sum",
            "dir": str(self.model).encode(),
            "parameters": b"text",
        }
        if name in words:
            return words[name]
        if function == "kandinsky_picture_load":
            return self.image
        if function == "kandinsky_embeds_load":
            return self.saved
        ending = "png" if "picture" in function else "safetensors"
        return str(self.folder / f"{next(self.counter)}.{ending}").encode()

    def call(self, what: str, function: str, arguments: list[Any]) -> int | None:
        """Makes the call; its status, or None for a function that has none."""
        print(what, flush=True)
        self.calls += 1
        self.kept = arguments
        raw = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else a for a in arguments]
        has_status = f"kandinsky_status {function}(" in self.declarations
        routine = self.library[function]
        routine.restype = ctypes.c_int if has_status else ctypes.c_void_p
        status = routine(*raw)
        if not has_status:
            return None
        said = self.library.kandinsky_last_error()[:300]
        assert status in self.known - {INTERNAL}, f"{what}: {status} {said}"
        if status != OK:
            assert said, what
        return int(status)

    def cases(self, function: str) -> Iterator[tuple[str, list[Any], bool]]:
        """Calls with one spoiled value, and whether that must be refused."""
        parameters = self.functions[function]

        def good() -> list[Any]:
            return [self.good(function, declared, name) for declared, name in parameters]

        yield f"{function}: good", good(), False
        for place, (declared, name) in enumerate(parameters):
            for bad in HOSTILE[type_of(declared.partition("[")[0] + "*" * ("[" in declared))]:
                arguments = good()
                arguments[place] = NUMBERS[declared](bad) if declared in NUMBERS else bad
                wanted = bad is None and not {name, f"{function}.{name}"} & OPTIONAL
                yield f"{function}: {name} = {str(bad)[:20]}", arguments, wanted
            struct = declared.replace("const ", "").rstrip("*")
            if struct not in self.initialised or "info" in struct or "plan" in struct:
                continue
            for kind, field in self.members[struct]:
                for bad in HOSTILE.get(type_of(kind), [2**64 - 1]):
                    arguments = good()
                    setattr(arguments[place], field, bad)
                    yield f"{function}: {name}.{field} = {str(bad)[:20]}", arguments, False
        for where in ("kandinsky_condition", "kandinsky_picture"):
            yield from self.inner_cases(function, where, good)

    def inner_cases(
        self, function: str, where: str, good: Any
    ) -> Iterator[tuple[str, list[Any], bool]]:
        """A condition, or a picture to start from, that is spoiled."""
        taken = {declared for declared, _ in self.functions[function]}
        if where == "kandinsky_condition":
            shared, applies = self.condition, "const kandinsky_denoise_options*" in taken
        else:
            shared = self.picture
            applies = bool({"const kandinsky_source_options*", "const kandinsky_picture*"} & taken)
        if not applies:
            return
        for kind, field in self.members[where]:
            for bad in HOSTILE[type_of(kind)]:
                if bad == 0 and field in {"row", "picture"}:
                    continue
                before = getattr(shared, field)
                setattr(shared, field, bad)
                yield f"{function}: {where}.{field} = {bad}", good(), True
                setattr(shared, field, before)

    def run(self, declarations: str) -> None:
        self.declarations = " ".join(declarations.split())
        for name in sorted(self.initialised):
            value = self.structs[name]()
            for size in (0, 1, 4, ctypes.sizeof(value)):
                print(f"{name}_init_sized(NULL, {size})", flush=True)
                self.library[f"{name}_init_sized"](None, ctypes.c_size_t(size))
                self.calls += 1
        for function in self.functions:
            if function.endswith("_free"):
                self.call(f"{function}(NULL)", function, [None])
                continue
            for what, arguments, must_fail in self.cases(function):
                status = self.call(what, function, arguments)
                assert not must_fail or status in {None, INVALID_ARGUMENT}, f"{what}: {status}"
        self.still_works()

    def still_works(self) -> None:
        denoise = [self.good("kandinsky_paint", *p) for p in self.functions["kandinsky_paint"]]
        assert self.call("a good job", "kandinsky_paint", denoise) == OK, (
            self.library.kandinsky_last_error()
        )
        self.library.kandinsky_embeds_free(self.embeds)
        self.library.kandinsky_folder_free(self.opened)
        self.library.kandinsky_engine_free(self.engine)


def main() -> None:
    library, header, model, folder = map(Path, sys.argv[1:])
    caller = Caller(library, header, model, folder)
    caller.run(header.read_text(encoding="utf-8"))
    print(f"{caller.calls} calls")


if __name__ == "__main__":
    main()
