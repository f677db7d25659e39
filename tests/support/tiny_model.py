"""Writes very small Kandinsky models in diffusers' folder layout, for tests.

Same architecture, file names and key names as the real folders; a few million random, well-scaled
weights. The numbers come from integer arithmetic only, seeded by the name of each tensor, so that
every machine writes the same bytes whatever its numpy; the digests in tiny_model.sha256 prove it
on each run.

    python tests/support/tiny_model.py OUT_DIR
    python tests/support/tiny_model.py OUT_DIR --models tiny-2-1 --dtype fp16 --variant fp16

Needs numpy only. What the folders hold is data: configs/<model>/ has the JSON files and one list
of names and shapes per component (written by tests/parity/make_references.py --tensor-lists),
tokenizers/ has the tokenizer files (made by make_tokenizers.py).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
CONFIGS = HERE / "configs"
TOKENIZERS = HERE / "tokenizers"
DIGESTS = HERE / "tiny_model.sha256"

MODELS = (
    *("tiny-2-1", "tiny-2-1-prior", "tiny-2-1-inpaint"),
    *("tiny-2-2-decoder", "tiny-2-2-decoder-inpaint", "tiny-2-2-controlnet-depth"),
    "tiny-2-2-prior",
)
DECODER = re.compile("^tiny-2-(1-inpaint|2-(decoder|decoder-inpaint|controlnet-depth))/")
SEED = "kandinsky-tiny-1"

# How each tensor is drawn: the first row whose pattern is found in "model/component/name" holds.
# `mean` and `std` are of the values themselves; `gain` stands for std = gain / sqrt(inputs per
# output), which keeps activations of size 1. The special rows keep a whole random model within the
# range of a trained one:
# - an untrained unet does not predict its noise, so its last latents have a deviation of 10 to 30,
#   and the decoder has to make of them an image that is neither flat nor saturated;
# - with `clip_std` far from 1 the prior would answer `clip_mean` to everything, or leave its clamp.
SCALES: tuple[tuple[str, dict[str, float]], ...] = (
    (r"/clip_std$", {"mean": 1.0, "std": 0.1}),
    (r"/clip_mean$", {"mean": 0.0, "std": 0.3}),
    (r"[/.](positional_embedding|prd_embedding|class_embedding)$", {"mean": 0.0, "std": 0.5}),
    (r"\.(position|token_type)_embeddings?\.weight$", {"mean": 0.0, "std": 0.5}),
    (r"(token_embedding|word_embeddings|quantize\.embedding)\.weight$", {"mean": 0.0, "std": 1.0}),
    (r"movq/decoder.*\.conv_[yb]\.weight$", {"gain": 0.05}),
    (r"movq/decoder.*\.conv_y\.bias$", {"mean": 1.0, "std": 0.1}),
    (r"movq/post_quant_conv\.weight$", {"gain": 0.1}),
    (r"movq/decoder\.conv_out\.weight$", {"gain": 0.7}),
    (r"\.bias$", {"mean": 0.0, "std": 0.1}),
)
NORM_WEIGHT = {"mean": 1.0, "std": 0.1}  # every other one-dimensional weight
MATRIX_WEIGHT = {"gain": 1.0}  # every other weight

Values = npt.NDArray[np.float32]


class TinyModelError(Exception):
    """The data of this folder and this code do not fit together, or an option makes no sense."""


@dataclass(frozen=True)
class Layout:
    """How weights are stored; by default one fp32 file per component, with today's key names."""

    dtype: str = "fp32"  # fp32, fp16 or bf16: what each tensor is stored as
    shards: int = 1  # files per component; more than one also writes an index
    variant: str = ""  # the middle of the file names, such as "fp16"; empty: none
    legacy_attention: bool = (
        False  # movq attention keys as before 2023: query, key, value, proj_attn
    )
    position_ids: bool = False  # adds the integer buffers that old exports carry
    pooler: bool = True  # False leaves out the text encoder's unused pooler


def seed_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{SEED}/{name}".encode()).digest()[:8], "little")


def random_bits(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """SplitMix64: element i is a fixed mixing of seed + (i + 1) * the golden ratio."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bell(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Mean 0, deviation 1: sums of four 16-bit draws. No libm, so equal bits everywhere."""
    bits = random_bits(seed, count)
    total = np.zeros(count, dtype=np.int64)
    for shift in (0, 16, 32, 48):
        total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
    deviation = math.sqrt(4 * (65536.0**2 - 1) / 12)
    return (total - 2 * 65535) / deviation


def spread_of(full_name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and deviation of the values of the tensor "model/component/name"."""
    scale = next(
        (scale for pattern, scale in SCALES if re.search(pattern, full_name)),
        NORM_WEIGHT if len(shape) == 1 else MATRIX_WEIGHT,
    )
    std = scale["gain"] / math.sqrt(math.prod(shape[1:])) if "gain" in scale else scale["std"]
    return scale.get("mean", 0.0), std


def make_tensor(scope: str, name: str, shape: tuple[int, ...]) -> Values:
    """The values of one tensor of "model/component"; they depend on the arguments alone."""
    full_name = f"{scope}/{name}"
    mean, std = spread_of(full_name, shape)
    # The decoders share all but the unet, as the real folders do.
    seeded_as = full_name if "/unet/" in full_name else DECODER.sub("tiny-2-1/", full_name)
    values = bell(seed_of(seeded_as), math.prod(shape)) * std + mean
    return values.astype(np.float32).reshape(shape)


def components(model: str) -> list[str]:
    """Names of the components of a model that have weights."""
    return sorted(path.stem for path in (CONFIGS / model).glob("*.tensors"))


def tensor_list(model: str, component: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    path = CONFIGS / model / f"{component}.tensors"
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *dims = line.split()
        yield name, tuple(int(dim) for dim in dims)


def component_tensors(model: str, component: str) -> dict[str, Values]:
    scope = f"{model}/{component}"
    return {name: make_tensor(scope, name, shape) for name, shape in tensor_list(model, component)}


def digest_of(tensors: dict[str, Values]) -> str:
    """SHA-256 over names, shapes and fp32 bytes, in list order."""
    sha = hashlib.sha256()
    for name, values in tensors.items():
        sha.update(f"{name} {values.shape}\n".encode())
        sha.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return sha.hexdigest()


def recorded_digests() -> dict[str, str]:
    digests = {}
    for line in DIGESTS.read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        digests[name] = digest
    return digests


def stored_bytes(values: npt.NDArray[np.generic], dtype: str) -> tuple[str, bytes]:
    """Safetensors dtype name and little-endian bytes; bf16 rounds to nearest, ties to even."""
    if values.dtype == np.int64:
        return "I64", values.astype("<i8").tobytes()
    if dtype == "fp32":
        return "F32", values.astype("<f4").tobytes()
    if dtype == "fp16":
        return "F16", values.astype("<f2").tobytes()
    if dtype == "bf16":
        bits = values.astype("<f4").view("<u4")
        rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return "BF16", (rounded >> np.uint32(16)).astype("<u2").tobytes()
    raise TinyModelError(f"dtype {dtype!r} is none of fp32, fp16, bf16")


def write_safetensors(
    path: Path, tensors: dict[str, npt.NDArray[np.generic]], dtype: str = "fp32"
) -> None:
    """One safetensors file, tensors in the order given, header padded to 8 bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs = []
    offset = 0
    for name, values in tensors.items():
        kind, blob = stored_bytes(values, dtype)
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        file.writelines(blobs)


def stored_tensors(
    model: str, component: str, tensors: dict[str, Values], layout: Layout
) -> dict[str, npt.NDArray[np.generic]]:
    """The tensors under the names that this layout stores them by."""
    stored: dict[str, npt.NDArray[np.generic]] = {}
    legacy = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for name, values in tensors.items():
        if ".pooler." in name and not layout.pooler:
            continue
        stored_as = name
        if component == "movq" and layout.legacy_attention and ".attentions." in name:
            for new, old in legacy.items():
                stored_as = stored_as.replace(f".{new}.", f".{old}.")
        stored[stored_as] = values
    if layout.position_ids:
        buffers = {
            "tiny-2-1-prior/text_encoder": ("text_model.embeddings.position_ids", 77),
            "tiny-2-1-prior/image_encoder": ("vision_model.embeddings.position_ids", 17),
            "tiny-2-2-prior/text_encoder": ("text_model.embeddings.position_ids", 77),
            "tiny-2-2-prior/image_encoder": ("vision_model.embeddings.position_ids", 17),
            "tiny-2-1/text_encoder": ("transformer.embeddings.position_ids", 514),
            "tiny-2-1-inpaint/text_encoder": ("transformer.embeddings.position_ids", 514),
        }
        if (buffer := buffers.get(f"{model}/{component}")) is not None:
            stored[buffer[0]] = np.arange(buffer[1], dtype=np.int64).reshape(1, -1)
    return stored


def weights_stem(component: str) -> str:
    """How the libraries of the field name the weights of a component, without the suffix."""
    is_transformers = component in ("text_encoder", "image_encoder")
    return "model" if is_transformers else "diffusion_pytorch_model"


def write_component(
    folder: Path, tensors: dict[str, npt.NDArray[np.generic]], layout: Layout
) -> None:
    """Weight files of one component: stem and index as the libraries of the field name them."""
    stem = weights_stem(folder.name)
    middle = f".{layout.variant}" if layout.variant else ""
    if layout.shards == 1:
        write_safetensors(folder / f"{stem}{middle}.safetensors", tensors, layout.dtype)
        return
    names = list(tensors)
    per_shard = math.ceil(len(names) / layout.shards)
    weight_map = {}
    total_size = 0
    for shard in range(layout.shards):
        file_name = f"{stem}{middle}-{shard + 1:05}-of-{layout.shards:05}.safetensors"
        part = {name: tensors[name] for name in names[shard * per_shard : (shard + 1) * per_shard]}
        write_safetensors(folder / file_name, part, layout.dtype)
        weight_map.update(dict.fromkeys(part, file_name))
        total_size += sum(len(stored_bytes(values, layout.dtype)[1]) for values in part.values())
    index = {"metadata": {"total_size": total_size}, "weight_map": weight_map}
    path = folder / f"{stem}.safetensors.index{middle}.json"
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def byte_symbols() -> list[str]:
    """One printable character per byte, as CLIP's byte-level BPE spells them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in plain}
    others = (byte for byte in range(256) if byte not in symbols)
    symbols.update({byte: chr(256 + i) for i, byte in enumerate(others)})
    return [symbols[byte] for byte in range(256)]


def write_clip_tokenizer(folder: Path) -> None:
    """vocab.json: byte symbols, the same closing a word, merges, two specials; and merges.txt."""
    merges = (TOKENIZERS / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    # Printable bytes come first, in the order of the field's own vocabularies.
    symbols = sorted(byte_symbols(), key=ord)
    pieces = [
        *symbols,
        *(f"{symbol}</w>" for symbol in symbols),
        *(merge.replace(" ", "") for merge in merges),
    ]
    start, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary = {piece: i for i, piece in enumerate([*pieces, start, end])}
    (folder / "vocab.json").write_text(
        json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    shutil.copyfile(TOKENIZERS / "merges.txt", folder / "merges.txt")
    specials = {"bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end}
    path = folder / "special_tokens_map.json"
    path.write_text(json.dumps(specials, indent=2) + "\n", encoding="utf-8")


def write_xlmr_tokenizer(folder: Path) -> None:
    shutil.copyfile(TOKENIZERS / "sentencepiece.bpe.model", folder / "sentencepiece.bpe.model")
    specials = {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "mask_token": "<mask>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
    }
    path = folder / "special_tokens_map.json"
    path.write_text(json.dumps(specials, indent=2) + "\n", encoding="utf-8")


def write_settings(folder: Path, model: str) -> None:
    """All files of a model but its weights: configurations and tokenizers."""
    for source in sorted((CONFIGS / model).rglob("*.json")):
        target = folder / source.relative_to(CONFIGS / model)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if model.endswith("-prior"):
        write_clip_tokenizer(folder / "tokenizer")
    elif (folder / "tokenizer").is_dir():
        write_xlmr_tokenizer(folder / "tokenizer")


def write_model(out: Path, model: str, layout: Layout | None = None) -> dict[str, str]:
    """Writes out/<model>; returns the digest of each component, by "model/component"."""
    layout = layout or Layout()
    if layout.shards < 1:
        raise TinyModelError(f"shards is {layout.shards}, expected 1 or more")
    if model not in MODELS:
        raise TinyModelError(f"model {model!r} is none of {', '.join(MODELS)}")
    folder = out / model
    write_settings(folder, model)
    digests = {}
    for component in components(model):
        tensors = component_tensors(model, component)
        digests[f"{model}/{component}"] = digest_of(tensors)
        write_component(
            folder / component, stored_tensors(model, component, tensors, layout), layout
        )
    return digests


def check_digests(digests: dict[str, str]) -> None:
    recorded = recorded_digests()
    drifted = [name for name, digest in digests.items() if recorded.get(name) != digest]
    if drifted:
        raise TinyModelError(
            f"the weights of {', '.join(drifted)} are not those of {DIGESTS.name}: this machine "
            "computes other numbers, or the lists or scales changed and the references are stale"
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Writes very small Kandinsky models for tests.")
    parser.add_argument("out", type=Path, help="folder that receives one folder per model")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), default="fp32")
    parser.add_argument(
        "--shards", type=int, default=1, help="files per component, with an index if more than one"
    )
    parser.add_argument(
        "--variant", default="", help='middle of the weight file names, such as "fp16"'
    )
    parser.add_argument(
        "--legacy-attention", action="store_true", help="old key names in movq attention"
    )
    parser.add_argument(
        "--position-ids", action="store_true", help="add the integer buffers of old exports"
    )
    parser.add_argument(
        "--no-pooler", dest="pooler", action="store_false", help="leave out the unused pooler"
    )
    parser.add_argument(
        "--update-digests",
        action="store_true",
        help=f"rewrite {DIGESTS.name} instead of checking it",
    )
    options = parser.parse_args(arguments)
    layout = Layout(
        dtype=options.dtype,
        shards=options.shards,
        variant=options.variant,
        legacy_attention=options.legacy_attention,
        position_ids=options.position_ids,
        pooler=options.pooler,
    )
    digests: dict[str, str] = {}
    try:
        for model in options.models:
            digests |= write_model(options.out, model, layout)
        if options.update_digests:
            if set(options.models) != set(MODELS):
                raise TinyModelError("--update-digests needs all models")
            lines = [f"{digest}  {name}" for name, digest in digests.items()]
            DIGESTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            check_digests(digests)
    except TinyModelError as error:
        print(f"tiny_model: {error}", file=sys.stderr)
        return 1
    for name, digest in digests.items():
        print(f"{digest[:16]}  {options.out / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
