"""Weight files read and written by torch alone, beside the engine."""

import json
from pathlib import Path

import numpy as np
import torch

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def load(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file."""
    content = path.read_bytes()
    data = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:data]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        piece = np.frombuffer(content[data + begin : data + end], np.uint8).copy()
        tensors[name] = torch.from_numpy(piece).view(DTYPES[entry["dtype"]]).view(entry["shape"])
    return tensors


def save(path: Path, tensors: dict[str, torch.Tensor], *, legacy: bool = False) -> None:
    """As torch.save does, today or before PyTorch 1.6."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)


def save_safetensors(path: Path, tensors: dict[str, torch.Tensor], notes: dict[str, str]) -> None:
    """fp32, with notes in the header."""
    header: dict[str, object] = {"__metadata__": notes}
    data = b""
    for name, tensor in tensors.items():
        values = tensor.float().numpy().tobytes()
        places = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": places}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
