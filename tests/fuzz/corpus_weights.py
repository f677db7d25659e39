"""Inputs for the readers of weights and model folders: safetensors, checkpoints, configs, LoRA."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable

import torch
from corpus_files import CONFIGS, SEPARATOR, header_of, put, safetensors_file, tensor

MOVQ_HALF = ("conv_in", "norm_out", "conv_out")


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
