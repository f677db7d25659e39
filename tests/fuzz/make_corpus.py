"""Writes corpus/: for each fuzz target a few small inputs from which mutations find the rest.

    .venv/bin/python tests/fuzz/make_corpus.py

Run by hand when a target changes; the results are committed, so that replaying needs no Python.
What fuzzing found is kept beside them under names that begin with "found-", which this script
leaves alone.
"""

from __future__ import annotations

import base64
import collections
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
CONFIGS = HERE.parent / "support" / "configs"
SEPARATOR = b"\n====\n"
MOVQ_HALF = ("conv_in", "norm_out", "conv_out")


def put(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def header_of(entries: dict[str, object]) -> bytes:
    text = json.dumps(entries).encode()
    return text + b" " * (-len(text) % 8)


def safetensors_file(entries: dict[str, object], data: bytes) -> bytes:
    header = header_of(entries)
    return struct.pack("<Q", len(header)) + header + data


def safetensors() -> None:
    two = {
        "__metadata__": {"format": "pt", "by": "пример"},
        "unet.weight": tensor("F32", [2, 3], 0, 24),
        "unet.bias": tensor("BF16", [3], 24, 30),
    }
    scalar = {"s": tensor("I64", [], 0, 8), "empty": tensor("U8", [0, 4], 8, 8)}
    kinds = {
        f"t{i}": tensor(kind, [1], at, at + size)
        for i, (kind, at, size) in enumerate(
            [
                ("F64", 0, 8),
                ("F16", 8, 2),
                ("I32", 10, 4),
                ("I16", 14, 2),
                ("I8", 16, 1),
                ("BOOL", 17, 1),
            ]
        )
    }
    for name, entries, size in (
        ("two", two, 30),
        ("scalar", scalar, 8),
        ("kinds", kinds, 18),
        ("none", {}, 0),
    ):
        put("safetensors_file", name, safetensors_file(entries, bytes(range(size))))
        put("safetensors_header", name, struct.pack("<H", size) + header_of(entries))
    put("safetensors_file", "cut", safetensors_file(two, bytes(29)))
    put(
        "safetensors_file",
        "git-lfs",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    )
    bad = {
        "overlap": {"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 2, 6)},
        "gap": {"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 6, 10)},
        "product": {"a": tensor("U8", [2**32, 2**32], 0, 0)},
        "escape": {"\x1b[31m": tensor("U8", [9], 0, 4)},
        "long-name": {"n" * 20_000: tensor("U8", [9], 0, 4)},
    }
    for name, entries in bad.items():
        put("safetensors_header", name, struct.pack("<H", 10) + header_of(entries))
    put("safetensors_header", "nested", struct.pack("<H", 0) + b"[" * 64)
    put("safetensors_header", "twice", struct.pack("<H", 0) + b'{"__metadata__":{"a":"b","a":"c"}}')


class Calls:
    """What a pickle of it would have Python call."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch called",)


def checkpoint(content: object, *, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def changed(archive: bytes, edit: Callable[[dict[str, bytes]], None], **options: int) -> bytes:
    """An archive with other entries."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    edit(entries)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as new:
        for name, content in entries.items():
            new.writestr(zipfile.ZipInfo(name), content, new.compression)
    return file.getvalue()


def checkpoints() -> None:
    base = torch.arange(12, dtype=torch.float32)
    weights = collections.OrderedDict(
        {
            "conv.weight": base[:6].reshape(2, 3),
            "conv.bias": base[6:].to(torch.bfloat16),
            "half": base.to(torch.float16).reshape(1, 3, 4, 1),
            "view": base[2:6],
            "position_ids": torch.arange(5).reshape(1, 5),
            "parameter": torch.nn.Parameter(torch.ones(2)),
            "none": torch.empty(0, 4),
            "scalar": torch.tensor(7, dtype=torch.int64),
        }
    )
    weights._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    kinds = [torch.float64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    files = {
        "weights": weights,
        "wrapped": {"epoch": 3, "state_dict": {"a": base}, "callbacks": {"x": slice(1, 2)}},
        "stats": [torch.zeros(4), torch.ones(4)],
        "kinds": {str(kind): torch.ones(3).to(kind) for kind in kinds},
        "calls": {"a": base, "b": Calls()},
        "only-calls": Calls(),
        "no-tensors": {"lr": 0.5, "steps": [1, 2], "name": "x"},
        "strided": {"a": base.reshape(3, 4).t()},
        "complex": {"a": base.to(torch.complex64)},
        "number-keys": {1: base},
    }
    for name, content in files.items():
        put("torch_file", name, checkpoint(content))
        put("torch_file", f"{name}-legacy", checkpoint(content, legacy=True))
        with zipfile.ZipFile(io.BytesIO(checkpoint(content))) as archive:
            pickled = next(entry for entry in archive.namelist() if entry.endswith("data.pkl"))
            put("torch_pickle", name, archive.read(pickled))
    put("torch_pickle", "protocol-4", pickle.dumps({"a": (1, "b", None, -(2**40))}, 4))
    put("torch_pickle", "endless", b"\x80\x02" + b"]q\x00" * 2000)
    put("torch_pickle", "circle", b"\x80\x02}q\x00(X\1\0\0\0ah\0u.")
    put("torch_pickle", "popped", b"\x80\x02cos\nsystem\n(X\2\0\0\0idtR0}.")

    whole = checkpoint(weights)
    put("torch_file", "cut", whole[:-30])
    put("torch_file", "cut-legacy", checkpoint(weights, legacy=True)[:-3])
    put("torch_file", "up", changed(whole, lambda entries: entries.update({"a/../../b": b"x"})))
    put("torch_file", "packed", changed(whole, len, compression=zipfile.ZIP_DEFLATED))
    put("torch_file", "short", changed(whole, lambda e: e.update({"archive/data/0": b"\0"})))
    put(
        "torch_file",
        "big-endian",
        changed(whole, lambda e: e.update({"archive/byteorder": b"big"})),
    )
    put("torch_file", "script", changed(whole, lambda e: e.update({"archive/constants.pkl": b"x"})))
    put("torch_file", "no-pickle", changed(whole, lambda entries: entries.pop("archive/data.pkl")))
    # The second file's place in the list becomes the first one's.
    first = whole.index(b"PK\1\2")
    second = whole.index(b"PK\1\2", first + 4)
    put("torch_file", "overlap", whole[: second + 42] + bytes(4) + whole[second + 46 :])


def embeds() -> None:
    plain = {
        "__metadata__": {"format": "kandinsky-embeds"},
        "image_embeds": tensor("F32", [2, 4], 0, 32),
        "prompt_embeds": tensor("F32", [2, 4], 32, 64),
        "text_encoder_hidden_states": tensor("F32", [2, 3, 2], 64, 112),
    }
    put("embeds_file", "plain", safetensors_file(plain, struct.pack("<28f", *range(28))))
    chunked = {**plain, "text_lengths": tensor("F32", [2, 1], 112, 120)}
    put("embeds_file", "lengths", safetensors_file(chunked, struct.pack("<30f", *range(28), 3, 2)))
    put(
        "embeds_file",
        "bad-lengths",
        safetensors_file(chunked, struct.pack("<30f", *range(28), 4, 1.5)),
    )
    put("embeds_file", "nan", safetensors_file(plain, b"\xff" * 112))
    half = {"image_embeds": tensor("F16", [1, 4], 0, 8)}
    put("embeds_file", "half", safetensors_file(half, bytes(8)))
    none = {"image_embeds": tensor("F32", [0, 4], 0, 0)}
    put("embeds_file", "no-rows", safetensors_file(none, b""))
    other = {"conv.weight": tensor("F32", [1], 0, 4)}
    put("embeds_file", "other", safetensors_file(other, bytes(4)))
    rank = {"image_embeds": tensor("F32", [1, 1, 1, 1], 0, 4)}
    put("embeds_file", "rank", safetensors_file(rank, bytes(4)))


def configs() -> None:
    small = sorted((CONFIGS / "tiny-2-1").rglob("*.json"))
    for path in small:
        name = path.relative_to(CONFIGS).as_posix().replace("/", "-")
        put("json_config", name, path.read_bytes())
    put(
        "json_config",
        "kinds",
        b'{"i":-5,"u":18446744073709551615,"f":1e-3,"e":1e400,"b":true,"n":null,'
        b'"s":"\\u043a\\ud83d\\ude00","l":[1,2.5,null,"x"],"o":{"a":{"b":[[]]}},"":0}',
    )
    put("json_config", "deep", b'{"a":' * 200 + b"1" + b"}" * 200)
    put("json_config", "lists", b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")
    put("json_config", "not-utf8", b'{"a":"\xff\xfe"}')
    put("json_config", "twice", b'{"a":1,"a":2}')
    kinds = (
        ("tiny-2-1/unet/config.json", 0),
        ("tiny-2-1/movq/config.json", 1),
        ("tiny-2-1-prior/text_encoder/config.json", 2),
        ("tiny-2-1-prior/scheduler/scheduler_config.json", 3),
        ("tiny-2-1/scheduler/scheduler_config.json", 4),
        ("tiny-2-1/ddpm_scheduler/scheduler_config.json", 5),
    )
    for path, kind in kinds:
        text = (CONFIGS / path).read_bytes()
        put("component_configs", path.split("/")[1], bytes([kind]) + text)
        wrong = {
            "zero": 0,
            "negative": -1,
            "huge": 2**63 - 1,
            "float": 1e308,
            "text": "x",
            "null": None,
            "list": [],
            "object": {},
        }
        for name, value in wrong.items():
            every = dict.fromkeys(json.loads(text), value)
            put(
                "component_configs",
                f"{path.split('/')[1]}-{name}",
                bytes([kind]) + json.dumps(every).encode(),
            )


def folders() -> None:
    index = {
        "weight_map": {"a.weight": "a.safetensors", "b.weight": "b.safetensors"},
        "metadata": {"total_size": 2},
    }
    put("shard_index", "two", json.dumps(index).encode())
    put("shard_index", "missing", json.dumps({"weight_map": {"a": "c.safetensors"}}).encode())
    put("shard_index", "outside", json.dumps({"weight_map": {"a": "../m.safetensors"}}).encode())
    put("shard_index", "empty", b'{"weight_map":{}}')
    put("shard_index", "pickle", json.dumps({"weight_map": {"a": "a.bin"}}).encode())
    model = {
        "_class_name": "KandinskyPipeline",
        "_diffusers_version": "0.35.2",
        "movq": ["diffusers", "VQModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "safety_checker": [None, None],
    }
    prior = {"_class_name": "KandinskyPriorPipeline", "prior": ["diffusers", "PriorTransformer"]}
    unet_index = {"weight_map": {"a.weight": "a.safetensors"}}
    parts = [model, {"in_channels": 4}, unet_index, {"num_train_timesteps": 1000}, prior]
    files = [json.dumps(part).encode() for part in parts]
    put("model_folder", "whole", SEPARATOR.join(files))
    put("model_folder", "index-only", files[0])
    put("model_folder", "no-index", SEPARATOR.join([b"", *files[1:]]))
    put("model_folder", "up", b'{"_class_name":"x","..":["a","b"],"a/b":["a","b"]}')
    put("model_folder", "odd", b'{"_class_name":"x","unet":["a"],"movq":"b"}')


def png_chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: bytes,
    extra: bytes = b"",
    interlace: int = 0,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


def exif(orientation: int, kind: int = 3, order: str = ">") -> bytes:
    value = (
        struct.pack(order + "HH", orientation, 0)
        if kind == 3
        else struct.pack(order + "I", orientation)
    )
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIHHHI", 42, 8, 1, 0x0112, kind, 1) + value + bytes(4)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sample(mode: str, width: int = 7, height: int = 5) -> Image.Image:
    image = Image.new("RGBA", (width, height))
    image.putdata(
        [
            (x * 36 % 256, y * 50 % 256, (x * y * 9) % 256, 255 - 40 * x % 256)
            for y in range(height)
            for x in range(width)
        ]
    )
    return image.convert(mode)


def images() -> None:
    pngs = {mode: saved(sample(mode), "PNG") for mode in ("L", "LA", "RGB", "RGBA", "P", "1")}
    rows16 = b"".join(b"\0" + bytes(range(14)) for _ in range(3))
    pngs["grey16"] = png(7, 3, 16, 0, rows16)
    pngs["grey16-key"] = png(7, 3, 16, 0, rows16, png_chunk(b"tRNS", b"\x02\x03"))
    pngs["rgb-key"] = png(
        2, 2, 8, 2, (b"\0" + bytes(range(6))) * 2, png_chunk(b"tRNS", b"\0\0\0\1\0\2")
    )
    pngs["grey-key"] = png(3, 1, 8, 0, b"\0\x01\x02\x03", png_chunk(b"tRNS", b"\0\2"))
    pngs["interlaced"] = png(
        4, 4, 8, 0, (b"\0\1") * 2 + b"\0\1\2" + b"\0\1\2" * 2 + b"\0\1\2\3\4" * 2, b"", 1
    )
    pngs["exif6"] = png(3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"eXIf", exif(6)))
    pngs["exif-long"] = png(3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"eXIf", exif(8, 4, "<")))
    raw = b"\nexif\n      38\n" + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"
    pngs["raw-exif"] = png(
        3,
        2,
        8,
        0,
        b"\0\1\2\3" * 2,
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    )
    pngs["raw-exif-text"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"tEXt", b"Raw profile type exif\0" + raw)
    )
    pngs["xmp"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    )
    pngs["cgbi"] = b"\x89PNG\r\n\x1a\n" + png_chunk(b"CgBI", b"\x50\0\x20\2") + pngs["RGBA"][8:]
    pngs["cut"] = pngs["RGB"][:-20]
    pngs["animated"] = saved(
        sample("RGB"), "PNG", save_all=True, append_images=[sample("RGB").rotate(180)]
    )
    pngs["parameters"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"tEXt", b"parameters\0a cat\nSteps: 20")
    )

    jpegs = {
        "grey": saved(sample("L"), "JPEG"),
        "rgb": saved(sample("RGB"), "JPEG"),
        "cmyk": saved(sample("CMYK"), "JPEG"),
        "progressive": saved(sample("RGB", 17, 9), "JPEG", progressive=True),
        "restart": saved(sample("RGB", 17, 9), "JPEG", restart_marker_blocks=1),
        "exif6": saved(sample("RGB"), "JPEG", exif=b"Exif\0\0" + exif(6)),
        "exif-long": saved(sample("RGB"), "JPEG", exif=b"Exif\0\0" + exif(8, 4, "<")),
        "xmp": saved(sample("RGB"), "JPEG", xmp=XMP),
        "444": saved(sample("RGB"), "JPEG", subsampling=0),
    }
    jpegs["cut"] = jpegs["rgb"][:-30]
    webps = {
        "lossy": saved(sample("RGB"), "WEBP"),
        "lossless": saved(sample("RGB"), "WEBP", lossless=True),
        "alpha": saved(sample("RGBA"), "WEBP"),
        "alpha-lossless": saved(sample("RGBA"), "WEBP", lossless=True),
        "exif6": saved(sample("RGB"), "WEBP", exif=exif(6)),
        "xmp": saved(sample("RGB"), "WEBP", xmp=XMP),
        "animated": saved(
            sample("RGBA"),
            "WEBP",
            save_all=True,
            append_images=[sample("RGBA").rotate(180)],
            duration=9,
        ),
    }
    webps["cut"] = webps["lossy"][:-9]
    for kind, files in (("png", pngs), ("jpeg", jpegs), ("webp", webps)):
        for name, content in files.items():
            put(f"image_{kind}", name, content)
    for name, content in (
        ("gif", b"GIF89a"),
        ("bmp", b"BM"),
        ("avif", b"\0\0\0\x1cftypavif"),
        ("jxl", b"\xff\x0a"),
        ("html", b"<!DOCTYPE html>"),
        ("heic", b"\0\0\0\x1cftypmif1"),
        ("boxed-jxl", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ):
        put("image_png", f"not-{name}", content + bytes(20))
    for name, data in (
        ("exif", exif(6)),
        ("exif-mark", b"Exif\0\0" + exif(3)),
        ("long", exif(8, 4, "<")),
        ("xmp", SEPARATOR + XMP),
        ("both", exif(0) + SEPARATOR + XMP),
        ("cut", exif(6)[:13]),
        ("element", SEPARATOR + b"<tiff:Orientation>8</tiff:Orientation>"),
    ):
        put("orientation", name, data)
    put("image_large", "png-claims", png(16384, 16384, 16, 6, b"\0" * 1000))
    put("image_large", "png-zeros", png(1024, 512, 8, 0, b"\0" * 1025 * 512))
    put(
        "image_large",
        "webp-claims",
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xfe\xff\xff\x0f" + bytes(9),
    )
    jpeg = bytearray(saved(sample("RGB", 16, 16), "JPEG", progressive=True))
    at = jpeg.index(b"\xff\xc2")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 8000, 8000)
    put("image_large", "jpeg-claims", bytes(jpeg))
    for i in range(15):
        put(
            "png_pixels",
            f"kind-{i}",
            bytes([i, 5, 0, 4, 0, i % 2, i // 2 % 2, 1 + i % 9, i]) + bytes(range(0, 250, 7)),
        )
    for i in range(3):
        put(
            "image_round_trip",
            f"format-{i}",
            bytes([i, 101 if i == 2 else 90, 0, 6, 0, 4, 0, 3, 0, 0]) + bytes(range(72)),
        )
        put(
            "image_edit",
            f"mode-{i}",
            bytes([i, 9, 0, 7, 0, 17, 0, 13, 0, i, i % 2, i % 2, 4, 0, 3, 0, 1, 3])
            + b"\0\xff\x80" * 20,
        )
    for name, text in (
        ("ascii", "a cat\nSteps: 20, Seed: 1"),
        ("latin1", "café"),
        ("cyrillic", "кот"),
        ("null", "a\0b"),
    ):
        put("png_text", name, text.encode())
    put("png_text", "not-utf8", b"\xff")


TEXTS = {
    "english": "A red circle on a white background, it's 4k!",
    "russian": "красный круг на белом фоне",
    "cjk": "一只猫坐在窗台上",
    "emoji": "👩‍🚀 🇷🇺 é́́",
    "specials": "<|startoftext|> <|endoftext|> </s><s><pad><mask>",
    "spaces": "  a\t\n\u00a0\u3000 b  ",
    "quotes": "it’s “odd” ﬁne １２ &amp; ΟΔΟΣ",
    "numbers": "1234567890 0.5 1e9",
    "upper": "İSTANBUL ẞ",
    "marks": "a\u0301\u0327\u0323" * 8,
}
WEIGHTED = (
    "a (red:1.3) circle",
    "((a)) [b] [[c]]",
    "(a:1.2) BREAK (b:-0.5)",
    "\\(a\\) \\[b\\] \\\\",
    "(never closed",
    "closed) never]",
    "a:1.5) (:1.2) (x:.5)(y:5.)",
    "BREAK BREAK aBREAK BREAKb",
    "(a (b (c:0.5):2):0.1)",
    "[a:b:0.5] [a|b] a AND b",
    "(a:+1.5) (b: -1 )",
    "(кот:1.1)",
)


def texts() -> None:
    for name, text in TEXTS.items():
        put("clip_text", name, text.encode())
        put("xlmr_text", name, text.encode())
    for target in ("clip_text", "xlmr_text"):
        put(target, "not-utf8", b"a\xd0 b\xed\xa0\x80")
    for i, text in enumerate(WEIGHTED):
        put("prompt_weights", f"{i:02}", text.encode())
    merges = "#version: 0.2\nr e\nre d</w>\nÐ º\n"
    vocabulary = '"re": 600, "red</w>": 601, "Ðº": 602'
    put(
        "clip_files",
        "whole",
        SEPARATOR.join(
            [
                vocabulary.encode(),
                merges.encode(),
                b'{"pad_token": "!"}',
                b'{"pad_token": {"content": "<|endoftext|>"}}',
            ]
        ),
    )
    put(
        "clip_files",
        "few-merges",
        SEPARATOR.join([b'"a": 1', b"#version: 0.2\na b c\n", b"{}", b"{}"]),
    )
    put("clip_files", "no-merges", vocabulary.encode())
    put("clip_files", "small-vocabulary", SEPARATOR.join([b'{"a": 1}', merges.encode()]))


def proto(number: int, kind: int, content: bytes) -> bytes:
    return bytes([number << 3 | kind]) + (bytes([len(content)]) if kind == 2 else b"") + content


def sentencepiece_model() -> bytes:
    """A unigram model of a few pieces: protobuf messages of sentencepiece_model.proto, by hand."""
    pieces = [
        ("<unk>", 0.0, 2),
        ("<s>", 0.0, 3),
        ("</s>", 0.0, 3),
        *((piece, -1.0 - i, 1) for i, piece in enumerate(("▁", "▁a", "re", "d", "к", "р"))),
    ]
    model = b"".join(
        proto(
            1,
            2,
            proto(1, 2, piece.encode())
            + proto(2, 5, struct.pack("<f", score))
            + proto(3, 0, bytes([kind])),
        )
        for piece, score, kind in pieces
    )
    trainer = proto(3, 0, b"\1") + proto(4, 0, bytes([len(pieces)]))
    normalizer = (
        proto(1, 2, b"identity") + proto(3, 0, b"\1") + proto(4, 0, b"\1") + proto(5, 0, b"\1")
    )
    return model + proto(2, 2, trainer) + proto(3, 2, normalizer)


def models() -> None:
    model = sentencepiece_model()
    put("xlmr_files", "whole", model)
    put("xlmr_files", "cut", model[:100])
    put(
        "xlmr_files",
        "bpe",
        model.replace(
            proto(3, 0, b"\1") + proto(4, 0, b"\x09"), proto(3, 0, b"\2") + proto(4, 0, b"\x09")
        ),
    )
    put("xlmr_files", "git-lfs", b"version https://git-lfs.github.com/spec/v1\n")


def words() -> None:
    for kind, texts in enumerate(
        (
            ("5", "-50", "010", "1e3", "99999999999999999999"),
            ("0.5", "-2.5", "1e6", "nan", "inf"),
            ("640x480", "1x16384", "x", "0x5"),
            ("3GB", "2.5 GiB", "800MB", "1e9TB"),
            ("crop", "STRETCH", "latent noise"),
            ("-1", "0", "18446744073709551615"),
        )
    ):
        for text in texts:
            put("cli_arguments", f"{kind}-{text}".replace(" ", "_"), bytes([kind]) + text.encode())
    for kind, texts in enumerate(
        (
            ("DDIM", "euler A", "DPM++ 2M SDE", ""),
            ("Karras", "automatic", "SGM Uniform"),
            ("winograd", "packed-weights", "nothing"),
            (
                "cpu",
                "auto",
                "cuda",
                "cuda:1",
                "cpu:5",
                "cpu:0",
                "meta",
                "cuda:99999999999",
                "xpu:0",
            ),
        )
    ):
        for text in texts:
            put(
                "option_names",
                f"{kind}-{text or 'empty'}".replace(" ", "_"),
                bytes([kind]) + text.encode(),
            )
    front = struct.pack("<HHHHHB", 19, 511, 511, 40, 7, 0)
    for name, present, strings in (
        ("plain", 3, ("kandinsky-2-1", "a cat", "dogs")),
        ("odd", 7, ('two, odd: "models"', "a\nb, c: d", "x: y", "")),
        ("blank", 4, ("\u3000model", "\u00a0prior")),
        ("separators", 4, ("\x1cmodel\u2003", "\u2028prior\x1f")),
        ("mix", 15, ("m", "p", "n", " q ", "a text", "one.png")),
        ("quotes", 4, ('"', '"x"')),
    ):
        put("infotext", name, front + bytes([present, 1, 1, 4]) + "\0".join(strings).encode())


def requests() -> None:
    for name, request in (
        ("text", '{"prompt": "a \\u044f", "seed": 18446744073709551615, "guidance_scale": 1e1}'),
        ("image", '{"prompt": "", "image": "data:;base64,AAAA", "mask": "m", "strength": 0}'),
        ("mix", '{"mix": [{"text": "a", "weight": -1}, {"image": "b"}, {"embeds": "c"}]}'),
        ("engine", '{"prompt": "x", "without": ["winograd"], "model_dir": null, "id": "a.b-c_d"}'),
        ("unknown", '{"stps": 1}'),
        ("words", '{"prompt": "x", "sampler": "ddim", "mix_method": "slerp", "tiling": true}'),
    ):
        put("request", name, b"\0" + request.encode())
    put("request", "lines", b'\x01\xef\xbb\xbf{"prompt": "a"}\r\n\n{"prompt": 1}\n[')
    put("request", "csv", b'\x02prompt,seed,tiling\r\n"a ""b"",\nc",1,true\r\nd,,\n"')
    put("request", "prompts", "\x03один\n\n  two\u3000\n".encode())


def server() -> None:
    image = base64.b64encode(png(1, 1, 8, 0, b"\0\1")).decode()
    bodies: tuple[tuple[str, int, dict[str, object]], ...] = (
        ("job", 0, {"prompt": "a", "seed": -1, "batch_size": 2, "n_iter": 3, "tiling": True}),
        ("job-image", 0, {"prompt": "a", "image": f"data:image/png;base64,{image}"}),
        ("job-path", 0, {"prompt": "a", "hint": "/etc/passwd"}),
        ("job-mix", 0, {"mix": [{"text": "a", "weight": -1}, {"embeds": "c"}]}),
        (
            "txt2img",
            1,
            {
                "prompt": "a",
                "steps": 5,
                "sampler_name": "DPM++ 2M Karras",
                "subseed": 7,
                "subseed_strength": 0.5,
                "override_settings": {"sd_model_checkpoint": "model"},
                "kandinsky": {"prior_guidance_scale": 2},
                "eta": 1,
                "seed_resize_from_w": 64,
            },
        ),
        ("txt2img-off", 1, {"prompt": None, "enable_hr": False, "styles": [], "hr_scale": 2}),
        ("txt2img-unknown", 1, {"stpes": 1}),
        (
            "img2img",
            2,
            {
                "init_images": [image],
                "mask": image,
                "inpainting_fill": 2,
                "resize_mode": 1,
                "inpainting_mask_invert": 1,
                "inpaint_full_res": True,
                "denoising_strength": 1,
            },
        ),
        ("generations", 3, {"prompt": "a", "n": 2, "size": "64x128", "output_format": "webp"}),
        ("generations-own", 3, {"prompt": "a", "kandinsky": {"tiling": True}, "style": "vivid"}),
        ("generations-none", 3, {"prompt": "a", "kandinsky": None, "stream": False}),
    )
    for name, kind, body in bodies:
        put("server_request", name, bytes([kind]) + json.dumps(body).encode())
    file = b'Content-Disposition: form-data; name="image"; filename="i.png"\r\n\r\n\x89PNG'
    fields = ("prompt", "кот"), ("n", "1"), ("kandinsky[tiling]", "true"), ("size", "auto")
    form = b"--x\r\n" + file
    for field, value in fields:
        form += f'\r\n--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}'.encode()
    form += b"\r\n--x--\r\n"
    for name, kind in (("edit", 4), ("variation", 5)):
        put("server_request", name, bytes([kind]) + b"multipart/form-data; boundary=x\n" + form)
    for name, lines in (
        ("get", ("GET /a%20b/?x=1&y=%zz HTTP/1.1", "Host: localhost:80", "", "")),
        ("post", ("POST / HTTP/1.1", "Host: [::1]:1", "Content-Length: 2", "", "{}")),
        ("chunked", ("POST / HTTP/1.1", "Transfer-Encoding: chunked", "", "2", "{}", "0", "", "")),
        ("origin", ("GET / HTTP/1.1", "Host: a", "Origin: http://b", "", "")),
        ("two", ("HEAD / HTTP/1.1", "", "DELETE * HTTP/1.0", "Connection: keep-alive", "", "")),
        ("expect", ("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 9", "", "")),
    ):
        put("http_request", name, b"\0" + "\r\n".join(lines).encode())
    basic = base64.b64encode(b"me:0123456789abcdef").decode()
    for name, key in (("bearer", "Bearer 0123456789abcdef"), ("basic", f"Basic {basic}")):
        text = f"GET / HTTP/1.1\r\nAuthorization: {key}\r\n\r\n"
        put("http_request", name, b"\1" + text.encode())
    line = {
        "id": "b",
        "file": "a.png",
        "sha256": "0",
        "seed": 1,
        "seconds": 0.5,
        "device": "cpu",
        "precision": "fp32",
        "request": "r",
    }
    text = json.dumps(line)
    put("manifest", "lines", f"{text}\n{json.dumps({**line, 'id': 'a'})}\n".encode())
    put("manifest", "torn", f"{text}\n{text[:30]}".encode())
    put("manifest", "odd", b'[]\n{"id": 1}\n\xff\0\n')


def conversions() -> None:
    config = json.dumps({"attention_head_dim": 2, "layers_per_block": 1, "block_out_channels": [4]})
    linear = ((".weight", "4 4"), (".bias", "4"))
    qkv = ((".weight", "12 4 1"), (".bias", "12"))

    def lines(*names: str) -> list[str]:
        return [
            f"{name}{end} {shape}"
            for name in names
            for end, shape in (qkv if name.endswith("qkv") else linear)
        ]

    resnet = ("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3")
    attention = ("norm", "qkv", "encoder_kv", "proj_out")
    unet = lines(
        *("time_embed.0", "time_embed.2", "input_blocks.0.0", "proj_n", "ln_model_n", "img_layer"),
        *("clip_to_seq", "to_model_dim_n", "out.0", "out.2"),
        *(f"input_blocks.1.0.{name}" for name in resnet),
        *(f"middle_block.{i}.{name}" for i in (0, 2) for name in resnet),
        *(f"middle_block.1.{name}" for name in attention),
        *(f"output_blocks.{i}.0.{name}" for i in range(2) for name in resnet),
    )
    prior = lines(
        *("time_embed.0", "time_embed.2", "clip_img_proj", "text_emb_proj", "text_enc_proj"),
        *("positional_embedding", "prd_emb", "final_ln", "out_proj"),
        *(
            f"transformer.resblocks.0.{name}"
            for name in ("attn.c_qkv", "attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_1", "ln_2")
        ),
    )
    block = ("norm1", "conv1", "norm2", "conv2")
    movq = lines(
        *("quant_conv", "post_quant_conv", "quantize.embedding"),
        *(f"{half}.{name}" for half in ("encoder", "decoder") for name in MOVQ_HALF),
        *(
            f"{half}.{room}.{name}"
            for half, side in (("encoder", "down"), ("decoder", "up"))
            for room in (f"{side}.0.block.0", "mid.block_1", "mid.block_2")
            for name in block
        ),
        *(f"{half}.mid.attn_1.{n}" for half in ("encoder", "decoder") for n in (*"qkv", "norm")),
        *(f"{half}.mid.attn_1.proj_out" for half in ("encoder", "decoder")),
    )
    for kind, name, content in (
        (1, "unet", unet),
        (2, "prior", prior),
        (3, "movq", movq),
        (4, "statistics", ["0 4", "1 4"]),
        (5, "text-encoder", ["LinearTransformation.weight 4 4"]),
        (1, "prefix", [f"model.{line}" for line in unet]),
        (1, "short", unet[:3]),
        (2, "heads", [line.replace("12", "10") for line in prior]),
    ):
        text = SEPARATOR.decode().join([config, "\n".join(content)])
        put("key_map", name, bytes([kind]) + text.encode())

    def lora(*names: str, **metadata: str) -> bytes:
        header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
        end = 0
        for name in names:
            is_alpha = name.endswith("alpha")
            shape = [] if is_alpha else [2, 4] if "down" in name or "_A" in name else [3, 2]
            size = 4 if is_alpha else 4 * shape[0] * shape[1]
            header[name] = tensor("F32", shape, end, end + size)
            end += size
        return struct.pack("<H", end) + header_of(header)

    settings = json.dumps({"unet.lora_alpha": 4, "unet.use_rslora": True, "unet.use_dora": False})
    processor = "a.attn.processor.to_{}_lora.{}.weight"
    for name, content in (
        ("peft", lora("unet.a.lora_A.weight", "unet.a.lora_B.weight")),
        (
            "metadata",
            lora("a.lora_A.weight", "a.lora_B.weight", lora_adapter_metadata=settings),
        ),
        ("processor", lora(processor.format("q", "down"), processor.format("q", "up"))),
        ("out", lora(processor.format("out", "down"), processor.format("out", "up"))),
        ("alpha", lora("a.lora.down.weight", "a.lora.up.weight", "a.alpha")),
        ("half", lora("a.lora.down.weight")),
        ("both", lora("a.lora.down.weight", "a.lora_A.weight", "a.lora.up.weight")),
        ("other", lora("a.hada_w1_a")),
    ):
        put("lora_file", name, content)
    for name, entries, size in (
        ("row", {"image_embeds": tensor("F32", [1, 4], 0, 16)}, 16),
        ("half", {"image_embeds": tensor("F16", [1, 4], 0, 8)}, 8),
        ("wide", {"image_embeds": tensor("F32", [1, 5], 0, 20)}, 20),
        ("other", {"embeds": tensor("F32", [1, 4], 0, 16)}, 16),
    ):
        put("zero_image", name, struct.pack("<H", size) + header_of(entries))


def main() -> None:
    for old in CORPUS.glob("*/*"):
        if not old.name.startswith("found-"):
            old.unlink()
    for make in (
        *(safetensors, checkpoints, embeds, configs, folders, images),
        *(texts, models, words, requests, server, conversions),
    ):
        make()
    total = sum(path.stat().st_size for path in CORPUS.glob("*/*"))
    print(f"{len(list(CORPUS.glob('*/*')))} inputs, {total} bytes")


if __name__ == "__main__":
    main()
