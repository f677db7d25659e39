"""Calls every function of kandinsky.h with hostile values, in one process.

    hostile_calls.py LIBRARY HEADER MODEL FOLDER

Run by test_hostile_calls. For each parameter of each function, and what its pointers lead to, a
good call is made once more with that one value spoiled. Setters are called so for every option of
every operation, and with the options that are not theirs; a spoiled value that a setter takes goes
on to the operation's job. Says each call before it is made; the last line is `N calls`.
"""

import ctypes
import itertools
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch  # the library finds it in the process

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import c_header

OK, INVALID_ARGUMENT, INTERNAL = 0, 1, 9
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
    "kandinsky_option_type": ctypes.c_int,
}
NO_NUMBERS = [math.nan, math.inf, -math.inf, -1e308, 1e308]
HOSTILE: dict[Any, list[Any]] = {
    ctypes.c_int32: [-1, -(2**31), 2**31 - 1, 0],
    ctypes.c_int64: [-1, -(2**63), 2**63 - 1, 0],
    ctypes.c_uint32: [0, 1, 2**32 - 1],
    ctypes.c_size_t: [2**40, 2**64 - 1],
    ctypes.c_double: NO_NUMBERS,
    ctypes.c_float: [math.nan, math.inf, -math.inf, 1e30],
    ctypes.c_char_p: [None, b"", b"\xff\xfe", b"%s%n", b"x" * 100_000],
    ctypes.c_void_p: [None],
}
SIZES = {"size_t", "const int64_t[4]"}  # of the pointer before them
SHAPES = [
    (0, 0, 0, 0),
    (-1, 1, 1, 1),
    (2**40, 1, 1, 1),
    (2**31, 2**31, 2**31, 2**31),
    (-(2**63),) * 4,
]
# Without them a default holds, or that side is not wanted.
OPTIONAL = {
    "parameters",
    "callback",
    "user_data",
    "negative_embeds",
    "progress",
    "message",
    "text",
    "kandinsky_encode_prompts.embeds",
    "kandinsky_encode_prompts.negative_embeds",
    "kandinsky_image_decode.name",
    "kandinsky_options_set_floats.values",
}
SETTER = "kandinsky_options_set_"
LISTS = {"seeds", "images", "floats", "conditions"}


def type_of(declared: str) -> Any:
    if declared == "const char*":
        return ctypes.c_char_p
    if declared.endswith("]"):
        base, _, count = declared.partition("[")
        return NUMBERS[base] * int(count[:-1]) if base in NUMBERS else ctypes.c_void_p
    return NUMBERS.get(declared, ctypes.c_void_p)


def is_pointer(declared: str) -> bool:
    return declared.endswith(("*", "]"))


@dataclass(frozen=True)
class Option:
    """An option, as the library lists it."""

    operation: str
    name: str
    kind: str  # the type's name without its KANDINSKY_
    value: str  # the default

    @property
    def setter(self) -> str:
        return SETTER + {"path": "text", "paths": "texts"}.get(self.kind, self.kind)

    def takes(self, setter: str) -> bool:
        return setter in {self.setter, *([SETTER + "integer"] if self.kind == "number" else [])}


@dataclass
class Case:
    """A call, and what must become of it."""

    what: str
    arguments: list[Any]
    must_fail: bool = False
    must_succeed: bool = False
    operation: str = ""  # of the options that a setter was called with


def operations_of(function: str) -> tuple[str, ...]:
    """Those of the options which the function takes."""
    named_apart = {
        "kandinsky_engine_open": ("engine",),
        "kandinsky_engine_check": ("image_to_image", "text_to_image"),
    }
    return named_apart.get(function, (function.removeprefix("kandinsky_"),))


class Caller:
    def __init__(self, library: Path, header: Path, model: Path, folder: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.kandinsky_last_error.restype = ctypes.c_char_p
        text = header.read_text(encoding="utf-8")
        self.functions = c_header.prototypes(text)
        self.signatures = c_header.signatures(text)
        self.members = c_header.members(text)
        self.structs = {
            name: type(
                name, (ctypes.Structure,), {"_fields_": [(f, type_of(t)) for t, f in fields]}
            )
            for name, fields in self.members.items()
        }
        self.initialised = c_header.initialised(text)
        enums = c_header.enums(text)
        self.known = set(enums["kandinsky_status"].values())
        self.model, self.folder = model, folder
        self.calls = 0
        self.fresh: list[ctypes.c_void_p] = []  # options of the calls since the last release()
        self.counter = itertools.count()
        self.options = self.listed(enums["kandinsky_option_type"])

        self.seed = (ctypes.c_uint64 * 1)(1)
        self.words = (ctypes.c_char_p * 1)(b"a cat")
        self.floats = (ctypes.c_float * LATENTS)(*([0.5] * LATENTS))
        self.bytes = (ctypes.c_ubyte * PIXELS)()
        self.row = (ctypes.c_int32 * 1)(0)
        self.weight = (ctypes.c_double * 1)(1.0)
        self.condition = self.structs["kandinsky_condition"](0, 0, 1, 2, 1.0)
        self.image = self.structs["kandinsky_image"](
            ctypes.cast(self.bytes, ctypes.c_void_p), SIDE, SIDE, 3
        )
        self.engine = self.made("kandinsky_engine_open", self.filled("engine"))
        self.opened = self.made("kandinsky_folder_open", str(model).encode())
        self.embeds = ctypes.c_void_p()
        prompts = self.filled("encode_prompts")
        self.check(
            "kandinsky_encode_prompts", self.engine, prompts, ctypes.byref(self.embeds), None
        )
        self.items = (ctypes.c_void_p * 1)(self.embeds)
        self.saved = str(folder / "saved.safetensors").encode()
        self.check("kandinsky_embeds_save", self.embeds, self.saved)
        self.image_file = str(folder / "image.png").encode()
        self.check("kandinsky_image_save", self.image_file, self.bytes, SIDE, SIDE, None)
        content = (folder / "image.png").read_bytes()
        self.file = (ctypes.c_ubyte * len(content)).from_buffer_copy(content)

    def check(self, function: str, *arguments: Any) -> None:
        status = self.library[function](*arguments)
        assert status == OK, (function, self.library.kandinsky_last_error())

    def made(self, function: str, argument: Any) -> ctypes.c_void_p:
        out = ctypes.c_void_p()
        self.check(function, argument, ctypes.byref(out))
        return out

    # ---- Options ----

    def listed(self, types: dict[str, int]) -> dict[str, list[Option]]:
        """What the library tells about its operations."""
        kinds = {number: name.removeprefix("KANDINSKY_").lower() for name, number in types.items()}
        name_of, count_of = (
            self.library.kandinsky_operation_name,
            self.library.kandinsky_option_count,
        )
        name_of.restype, count_of.restype = ctypes.c_char_p, ctypes.c_size_t
        options: dict[str, list[Option]] = {}
        for number in range(self.library.kandinsky_operation_count()):
            operation = name_of(ctypes.c_size_t(number))
            found = options.setdefault(operation.decode(), [])
            for index in range(count_of(operation)):
                info = self.struct("kandinsky_option_info")
                place = ctypes.c_size_t(index)
                self.check("kandinsky_option_get_info", operation, place, ctypes.byref(info))
                value = (info.default_value or b"").decode()
                if info.word_count and not value:
                    value = ctypes.cast(info.words, ctypes.POINTER(ctypes.c_char_p))[0].decode()
                kind = kinds[info.type]
                found.append(Option(operation.decode(), info.name.decode(), kind, value))
        return options

    def release(self) -> None:
        while self.fresh:
            self.library.kandinsky_options_free(self.fresh.pop())

    def value(self, kind: str, name: str, text: str) -> list[Any]:
        """What comes after the name in a good call of the setter for that type."""
        if kind == "flag":
            return [ctypes.c_int32(text == "true")]
        if kind == "integer":
            return [ctypes.c_int64(int(float(text)))]
        if kind == "number":
            return [ctypes.c_double(float(text))]
        if kind in {"text", "path"}:
            return [text.encode()]
        if kind == "floats":
            channels = 1 if name == "mask" else 4
            return [self.floats, (ctypes.c_int64 * 4)(1, channels, SIDE // 8, SIDE // 8)]
        if kind in {"texts", "paths"} and text:
            return [(ctypes.c_char_p * 1)(text.encode()), ctypes.c_size_t(1)]
        lists = {
            "texts": self.words,
            "paths": self.words,
            "seeds": self.seed,
            "images": ctypes.byref(self.image),
            "conditions": ctypes.byref(self.condition),
        }
        return [lists[kind], ctypes.c_size_t(1)]

    def filled(self, operation: str) -> ctypes.c_void_p:
        """New options of a small job with lists of all kinds."""
        texts = {
            "model_dir": str(self.model),
            "device": "cpu",
            "precision": "fp32",
            "width": str(SIDE),
            "height": str(SIDE),
            "num_inference_steps": "2",
            "prior_num_inference_steps": "2",
            "prior_strength": "1",
            "strength": "0.5",
            "prompts": "",  # which stands for self.words
        }
        options = self.made("kandinsky_options_new", operation.encode())
        self.fresh.append(options)
        for option in self.options[operation]:
            is_list = option.kind in LISTS and option.name != "hints"  # for other models
            if option.name in texts or is_list:
                value = self.value(option.kind, option.name, texts.get(option.name, ""))
                self.check(option.setter, options, option.name.encode(), *value)
        return options

    # ---- Good calls ----

    def struct(self, name: str) -> Any:
        value = self.structs[name]()
        self.library[f"{name}_init_sized"](
            ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value))
        )
        return value

    def good(self, function: str, option: Option | None = None) -> list[Any]:
        """The arguments of a good call; a setter's for that option, if only with its own type."""
        if option is None:
            return [self.good_value(function, *each) for each in self.functions[function]]
        kind = option.kind if function == option.setter else function.removeprefix(SETTER)
        text = option.value if option.takes(function) else "1"
        options = self.filled(option.operation)
        return [options, option.name.encode(), *self.value(kind, option.name, text)]

    def lora(self) -> Path:
        """One for the tiny UNet that changes nothing."""
        path = self.folder / "lora.safetensors"
        if path.exists():  # the engine has it open
            return path
        entry = {"dtype": "F32", "data_offsets": [0, 256]}
        unit = "mid_block.attentions.0.to_q"
        header = {
            f"{unit}.lora_A.weight": {**entry, "shape": [1, 64]},
            f"{unit}.lora_B.weight": {**entry, "shape": [64, 1], "data_offsets": [256, 512]},
        }
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(512))
        return path

    def good_value(self, function: str, declared: str, name: str) -> Any:
        plain = declared.replace("const ", "").replace(" const", "")
        if plain.rstrip("*") in self.initialised:
            return self.struct(plain.rstrip("*"))
        if declared == "const kandinsky_options*":
            return self.filled(operations_of(function)[0])
        if declared == "kandinsky_options*":  # to ask of
            return self.filled("generate")
        if name == "bytes":
            return self.file
        if declared == "const char* const*":
            path = self.lora() if name == "loras" else self.model
            return (ctypes.c_char_p * 1)(str(path).encode())
        if declared == "float*":
            return (ctypes.c_float * LATENTS)()
        if declared == "uint8_t*":
            return (ctypes.c_ubyte * PIXELS)()
        by_type = {
            "kandinsky_engine*": self.engine,
            "kandinsky_folder*": self.opened,
            "kandinsky_embeds*": self.embeds,
            "kandinsky_embeds**": self.items,
            "kandinsky_image*": ctypes.byref(self.image),
            "kandinsky_progress_fn": None,
            "kandinsky_message_fn": None,
            "void*": None,
            "uint8_t*": self.bytes,
            "float*": self.floats,
            "double*": self.weight,
            "int32_t*": self.row,
            "int64_t[3]": (ctypes.c_int64 * 3)(),
            "char[65]": (ctypes.c_char * 65)(),
            "size_t*": (ctypes.c_size_t * 1)(),
            "float**": ctypes.byref(ctypes.c_void_p()),
        }
        if plain.endswith("**") and not declared.startswith("const"):
            return ctypes.byref(ctypes.c_void_p())
        if declared == "const char**":
            return ctypes.byref(ctypes.c_char_p())
        if name.startswith("latent_"):
            return (ctypes.c_int32 * 1)()
        if plain in by_type:
            return by_type[plain]
        sizes = {"kandinsky_denoise": LATENTS, "kandinsky_image_decode": len(self.file)}
        numbers = {
            "width": SIDE,
            "height": SIDE,
            "batch_size": 1,
            "threads": 1,
            "count": 1,
            "index": 0,
            "status": 1,
            "latents_size": LATENTS,
            "images_size": PIXELS,
            "size": sizes.get(function, PIXELS),
        }
        if declared in NUMBERS:
            return NUMBERS[declared](numbers[name])
        words = {
            "operation": b"text_to_image",
            "name": b"sampler" if function == "kandinsky_options_get_text" else b"image_embeds",
            "method": b"sum",
            "dir": str(self.model).encode(),
            "parameters": b"text",
            "format": b"png",
            "precision": b"fp16",
        }
        if name in words:
            return words[name]
        if function == "kandinsky_image_load":
            return self.image_file
        if function == "kandinsky_embeds_load":
            return self.saved
        ending = "png" if "image" in function else "safetensors"
        return str(self.folder / f"{next(self.counter)}.{ending}").encode()

    # ---- Spoiled calls ----

    def hostile(self, function: str, declared: str) -> list[Any]:
        if declared in NUMBERS:
            kind = NUMBERS[declared]
            return [kind(bad) for bad in HOSTILE[kind]]
        if declared == "const int64_t[4]":
            return [None, *((ctypes.c_int64 * 4)(*shape) for shape in SHAPES)]
        if declared == "const kandinsky_options*":
            own = operations_of(function)
            return [None, *(self.filled(other) for other in self.options if other not in own)]
        return HOSTILE[ctypes.c_char_p if declared == "const char*" else ctypes.c_void_p]

    def cases(self, function: str, option: Option | None = None) -> Iterator[Case]:
        """A good call, then each with one spoiled value."""
        self.release()
        parameters = self.functions[function]
        operation = option.operation if option else ""
        what = f"{function}({operation}, {option.name})" if option else function
        yield Case(f"{what}: good", self.good(function, option), must_succeed=True)
        for place, (declared, name) in enumerate(parameters):
            always_fails = (
                name in {"count", "shape"}
                or declared == "const kandinsky_options*"
                or (option is not None and name == "name")
            )
            for bad in self.hostile(function, declared):
                arguments = self.good(function, option)
                arguments[place] = bad
                is_missing = bad is None and not {name, f"{function}.{name}"} & OPTIONAL
                shown = str([*bad] if isinstance(bad, ctypes.Array) else getattr(bad, "value", bad))
                must_fail = is_missing or always_fails
                yield Case(
                    f"{what}: {name} = {shown[:20]}", arguments, must_fail, operation=operation
                )
                if declared in SIZES and is_pointer(parameters[place - 1][0]):
                    arguments = self.good(function, option)
                    arguments[place - 1 : place + 1] = [None, bad]
                    yield Case(
                        f"{what}: {name} = {shown[:20]} of NULL", arguments, operation=operation
                    )
            arguments = self.good(function, option)
            for where, must_fail in self.spoil(declared, arguments[place]):
                yield Case(f"{what}: {name}{where}", arguments, must_fail, operation=operation)

    def spoil(self, declared: str, target: Any) -> Iterator[tuple[str, bool]]:
        """Spoils what a pointer leads to, one value at a time; tells which, and if it must fail."""
        # Any seed is a good one.
        if (
            isinstance(target, ctypes.Array)
            and declared.startswith("const")
            and (target is not self.seed)
        ):
            good = target[0]
            for bad in HOSTILE.get(target._type_, []):
                if bad == good:
                    continue
                target[0] = bad
                yield f"[0] = {str(bad)[:20]}", target._type_ is not ctypes.c_char_p or bad is None
                target[0] = good
        struct = target if isinstance(target, ctypes.Structure) else getattr(target, "_obj", None)
        if not isinstance(struct, ctypes.Structure):
            return
        for field, kind in struct._fields_:
            good = getattr(struct, field)
            if declared.removesuffix("*") in self.initialised and field != "struct_size":
                continue
            for bad in HOSTILE[kind]:
                if bad == good:
                    continue
                setattr(struct, field, bad)
                yield f".{field} = {bad}", bad != 2**32 - 1
                setattr(struct, field, good)

    def setter_cases(self, setter: str) -> Iterator[Case]:
        for option in itertools.chain.from_iterable(self.options.values()):
            if not option.takes(setter):
                what = f"{setter}({option.operation}, {option.name}): wrong type"
                yield Case(what, self.good(setter, option), must_fail=True)
                continue
            yield from self.cases(setter, option)
            for operation, others in self.options.items():
                if option.name in {other.name for other in others}:
                    continue
                arguments = self.good(setter, option)
                arguments[0] = self.filled(operation)
                yield Case(f"{setter}({operation}, {option.name}): unknown", arguments, True)

    def call(self, what: str, function: str, arguments: list[Any]) -> int | None:
        """Makes the call; its status, or None for a function that has none."""
        print(what, flush=True)
        self.calls += 1
        raw = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else a for a in arguments]
        has_status = self.signatures[function].startswith("kandinsky_status(")
        routine = self.library[function]
        routine.restype = ctypes.c_int if has_status else ctypes.c_void_p
        status = routine(*raw)
        if not has_status:
            return None
        said = self.library.kandinsky_last_error()[:300]
        assert status in self.known - {INTERNAL}, f"{what}: {status} {said}"
        if status != OK:
            assert said, what
        for (declared, _), argument in zip(self.functions[function], arguments, strict=True):
            made = f"{declared.removesuffix('**')}_free"
            if made in self.functions and argument is not None and argument._obj.value:
                self.library[made](argument._obj)
        return int(status)

    def run(self) -> None:
        for name in sorted(self.initialised):
            for size in (0, 1, 4, ctypes.sizeof(self.structs[name])):
                print(f"{name}_init_sized(NULL, {size})", flush=True)
                self.library[f"{name}_init_sized"](None, ctypes.c_size_t(size))
                self.calls += 1
        for function in self.functions:
            if function.endswith("_free"):
                self.call(f"{function}(NULL)", function, [None])
                continue
            is_setter = function.startswith(SETTER)
            for case in self.setter_cases(function) if is_setter else self.cases(function):
                status = self.call(case.what, function, case.arguments)
                if is_setter and status == OK and not case.must_succeed:
                    status = self.job(case)
                assert not case.must_fail or status in {None, INVALID_ARGUMENT}, case.what
                assert not case.must_succeed or status in {None, OK}, (
                    case.what,
                    self.library.kandinsky_last_error(),
                )
        self.still_works()

    def job(self, case: Case) -> int | None:
        """What the options are for, after a setter took something odd."""
        function = next(name for name in self.functions if case.operation in operations_of(name))
        arguments = [
            case.arguments[0]
            if declared == "const kandinsky_options*"
            else self.good_value(function, declared, name)
            for declared, name in self.functions[function]
        ]
        return self.call(f"{case.what}, then {function}", function, arguments)

    def still_works(self) -> None:
        status = self.call("a good job", "kandinsky_generate", self.good("kandinsky_generate"))
        assert status == OK, self.library.kandinsky_last_error()
        self.library.kandinsky_embeds_free(self.embeds)
        self.library.kandinsky_folder_free(self.opened)
        self.library.kandinsky_engine_free(self.engine)


def main() -> None:
    library, header, model, folder = map(Path, sys.argv[1:])
    torch.set_num_threads(1)  # small jobs
    caller = Caller(library, header, model, folder)
    caller.run()
    print(f"{caller.calls} calls")


if __name__ == "__main__":
    main()
