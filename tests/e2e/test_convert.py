"""Original checkpoints become a model folder with the weights that diffusers' script would give.

The originals are made of the tiny models by the inverse of the mapping, written here on its own.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import checkpoints
from support.broken_models import IO
from support.built import MODEL, MODEL_2_2, PRIOR, PRIOR_2_2, PROGRAM, copy_models, run_program
from support.small_disk import small_disk

from kandinsky_engine import Engine

Tensors = dict[str, torch.Tensor]
INVALID_ARGUMENT, NOT_FOUND, CORRUPT, UNSUPPORTED = 2, 3, 4, 5


def fuse(parts: list[torch.Tensor], head: int) -> torch.Tensor:
    """Rows of several projections, by turns for each head."""
    rows = [part.reshape(-1, head, *part.shape[1:]) for part in parts]
    return torch.stack(rows, 1).reshape(-1, *parts[0].shape[1:])


def original_unet(hub: Tensors, config: dict[str, Any]) -> Tensors:
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    head = config["attention_head_dim"]
    top = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "add_embedding.text_proj": "proj_n",
        "add_embedding.text_norm": "ln_model_n",
        "add_embedding.image_proj": "img_layer",
        "encoder_hid_proj.image_embeds": "clip_to_seq",
        "encoder_hid_proj.text_proj": "to_model_dim_n",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    resnet = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    blocks = {}
    for i in range(levels):
        for j in range(layers):
            blocks[f"down_blocks.{i}.resnets.{j}"] = f"input_blocks.{1 + i * (layers + 1) + j}.0"
            blocks[f"down_blocks.{i}.attentions.{j}"] = f"input_blocks.{1 + i * (layers + 1) + j}.1"
        blocks[f"down_blocks.{i}.downsamplers.0"] = f"input_blocks.{(i + 1) * (layers + 1)}.0"
        for j in range(layers + 1):
            blocks[f"up_blocks.{i}.resnets.{j}"] = f"output_blocks.{i * (layers + 1) + j}.0"
            blocks[f"up_blocks.{i}.attentions.{j}"] = f"output_blocks.{i * (layers + 1) + j}.1"
        place = 2 if f"up_blocks.{i}.attentions.0.to_q.weight" in hub else 1
        blocks[f"up_blocks.{i}.upsamplers.0"] = f"output_blocks.{i * (layers + 1) + layers}.{place}"
    blocks["mid_block.resnets.0"] = "middle_block.0"
    blocks["mid_block.attentions.0"] = "middle_block.1"
    blocks["mid_block.resnets.1"] = "middle_block.2"
    result: Tensors = {}
    for name, tensor in hub.items():
        stem, kind = name.rsplit(".", 1)
        if stem in top:
            result[f"{top[stem]}.{kind}"] = tensor
            continue
        block = next(block for block in blocks if stem.startswith(block + "."))
        unit, to = stem[len(block) + 1 :], blocks[block]
        if unit in resnet:
            result[f"{to}.{resnet[unit]}.{kind}"] = tensor
        elif unit == "group_norm":
            result[f"{to}.norm.{kind}"] = tensor
        else:
            fused = {
                "to_q": ("qkv", ["to_q", "to_k", "to_v"]),
                "add_k_proj": ("encoder_kv", ["add_k_proj", "add_v_proj"]),
                "to_out.0": ("proj_out", ["to_out.0"]),
            }.get(unit)
            if fused is None:
                continue
            parts = [hub[f"{block}.{part}.{kind}"] for part in fused[1]]
            whole = fuse(parts, head) if len(parts) > 1 else parts[0]
            result[f"{to}.{fused[0]}.{kind}"] = whole[..., None] if kind == "weight" else whole
    return result


PRIOR_NAMES = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "proj_in": "clip_img_proj",
    "embedding_proj": "text_emb_proj",
    "encoder_hidden_states_proj": "text_enc_proj",
    "prd_embedding": "prd_emb",
    "norm_out": "final_ln",
    "proj_to_clip_embeddings": "out_proj",
    ".attn1.to_q": ".attn.c_qkv",
    ".attn1.to_out.0": ".attn.c_proj",
    ".ff.net.0.proj": ".mlp.c_fc",
    ".ff.net.2": ".mlp.c_proj",
    ".norm1": ".ln_1",
    ".norm3": ".ln_2",
    "transformer_blocks": "transformer.resblocks",
}


def original_prior(hub: Tensors, head: int) -> Tensors:
    result: Tensors = {}
    for name, tensor in hub.items():
        if name in ("clip_mean", "clip_std") or re.search(r"\.to_[kv]\.", name):
            continue
        original = f"model.{name}"
        for new, old in PRIOR_NAMES.items():
            original = original.replace(new, old)
        fused = [hub[name.replace("to_q", part)] for part in ("to_q", "to_k", "to_v")]
        result[original] = fuse(fused, head) if ".to_q." in name else tensor
    return result


def original_movq(hub: Tensors) -> Tensors:
    levels = sum(
        name.startswith("encoder.down_blocks.") for name in hub if "0.norm1.weight" in name
    )
    result: Tensors = {}
    for name, tensor in hub.items():
        original = re.sub(r"down_blocks\.(\d)", r"down.\1", name)
        original = re.sub(
            r"up_blocks\.(\d)", lambda match: f"up.{levels - 1 - int(match[1])}", original
        )
        original = re.sub(
            r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", original
        )
        original = re.sub(r"\.(down|up)samplers\.0\.", r".\1sample.", original)
        is_matrix = re.search(r"\.to_(q|k|v|out\.0)\.weight", name) is not None
        for new, old in {
            "mid_block.attentions.0": "mid.attn_1",
            ".resnets.": ".block.",
            ".attentions.": ".attn.",
            "conv_shortcut": "nin_shortcut",
            "conv_norm_out": "norm_out",
            "group_norm": "norm",
            "spatial_norm": "norm",
            ".to_q.": ".q.",
            ".to_k.": ".k.",
            ".to_v.": ".v.",
            ".to_out.0.": ".proj_out.",
        }.items():
            original = original.replace(new, old)
        result[original] = tensor[:, :, None, None] if is_matrix else tensor
    return result


def config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def strip_weights(folder: Path) -> None:
    for path in folder.glob("*/*.safetensors"):
        path.unlink()


STEM = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def originals(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as original checkpoints in `2_1`, and beside it what these lack."""
    place = tmp_path_factory.mktemp("originals")
    hub = {
        name: checkpoints.load(folder / name / STEM)
        for folder, name in (
            (model, "unet"),
            (model, "movq"),
            (model.with_name(PRIOR), "prior"),
        )
    }
    files = place / "2_1"
    unet = original_unet(hub["unet"], config(model / "unet"))
    head = config(model.with_name(PRIOR) / "prior")["attention_head_dim"]
    checkpoints.save(files / "decoder_fp16.ckpt", unet)
    checkpoints.save(files / "movq_final.ckpt", original_movq(hub["movq"]), legacy=True)
    checkpoints.save(files / "prior_fp16.ckpt", original_prior(hub["prior"], head))
    statistics = (hub["prior"]["clip_mean"][0], hub["prior"]["clip_std"][0])
    torch.save(statistics, files / "ViT-L-14_stats.th")
    text_encoder = checkpoints.load(model / "text_encoder/model.safetensors")
    checkpoints.save(files / "text_encoder/pytorch_model.bin", text_encoder)
    shutil.copy(model / "tokenizer/sentencepiece.bpe.model", files / "text_encoder")
    # The settings of a tiny model are not those of Kandinsky: folders without weights give them.
    copied = copy_models(model, place)
    for path in [*copied.glob("*/*.safetensors"), copied.with_name(PRIOR) / "prior" / STEM]:
        path.unlink()
    clip = copied.with_name(PRIOR)
    shutil.copytree(
        clip, place / "settings-prior", ignore=shutil.ignore_patterns("model.*", "merges*")
    )
    return place


def generate(folder: Path) -> np.ndarray:
    with Engine(str(folder), device="cpu", precision="fp32") as engine:
        return engine.text_to_image(
            ["a red cat"],
            seeds=[5],
            width=64,
            height=64,
            num_inference_steps=2,
            prior_num_inference_steps=2,
        )


def test_originals_become_the_same_model(model: Path, originals: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    inputs = [originals / "2_1", originals / MODEL]
    arguments = ["--output", out, "--precision", "fp32"]
    # CLIP's encoders are in no original file.
    first = run_program("convert", *inputs, originals / "settings-prior", *arguments)
    assert first.returncode == NOT_FOUND
    assert "new-prior/image_encoder (CLIP's image encoder of" in first.stderr
    assert (out / "model_index.json").is_file()
    assert not (tmp_path / "new-prior/model_index.json").exists()
    written = (out / "unet" / STEM).stat().st_ino

    second = run_program("convert", *inputs, originals / PRIOR, *arguments)
    assert second.returncode == 0, second.stderr
    assert (out / "unet" / STEM).stat().st_ino == written
    for source in (model, model.with_name(PRIOR)):
        target = out.with_name(source.name.replace(MODEL, "new"))
        for path in source.glob("*/*.safetensors"):
            old = checkpoints.load(path)
            new = checkpoints.load(target / path.relative_to(source))
            assert old.keys() == new.keys(), path
            for name, tensor in old.items():
                assert torch.equal(tensor, new[name]), f"{path}: {name}"
    np.testing.assert_array_equal(generate(out), generate(model))


def test_a_folder_in_another_precision(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "half"
    result = run_program("convert", model, model.with_name(PRIOR), "--output", out)
    assert result.returncode == 0, result.stderr
    path = Path("unet/diffusion_pytorch_model.safetensors")
    old, new = checkpoints.load(model / path), checkpoints.load(out / path)
    assert all(torch.equal(tensor.half(), new[name]) for name, tensor in old.items())
    assert np.abs(generate(out).astype(int) - generate(model)).mean() < 4
    again = run_program(
        "convert", model, model.with_name(PRIOR), "--output", out, "--precision", "bf16"
    )
    assert again.returncode == INVALID_ARGUMENT
    assert "already exists and was not made from these inputs in bf16" in again.stderr


def test_too_little_room_is_told_before_anything_is_written(model: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "32m") as disk:
        result = run_program("convert", model, "--output", disk / "new/model")
        assert result.returncode == IO
        assert f"{disk}/new/model: needs 0.1 GB of disk space, 0.0 GB are free" in result.stderr
        assert list(disk.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)
        again = run_program("convert", model, "--output", disk / "new/model")
        assert again.returncode == 0, again.stderr


PIPE = 4096
LINE = 100
"""Bytes of a line about a component, at most; two are longer."""


def interrupt_in_movq(command: list[str | Path], movq: Path) -> subprocess.CompletedProcess[str]:
    """Ctrl-C while the second component is written: where that one's line would say that all
    tensors are, the program waits for room in a pipe that nobody reads.
    """
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
    os.write(writing, b" " * (PIPE - LINE))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    try:
        deadline = time.monotonic() + 60
        while not any(file.stat().st_size for file in movq.glob(".kandinsky-*.part")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        # Until the program has taken it.
        status = Path(f"/proc/{process.pid}/status")
        while re.search(r"(?m)^ShdPnd:\s*0*[1-9a-f]", status.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode().lstrip(" ")
        return subprocess.CompletedProcess(command, process.wait(timeout=60), "", said)
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_leaves_no_half_file_and_the_next_call_resumes(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    command = [PROGRAM, "convert", model, "--output", out, "--precision", "fp32"]
    stopped = interrupt_in_movq(command, out / "movq")
    assert stopped.returncode == 130, stopped.stderr
    assert re.match(r"unet +(\d+)/\1 ", stopped.stderr)
    assert "stopped" in stopped.stderr.splitlines()[-1]
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert files == [out / "unet" / STEM]
    written = files[0].stat().st_ino

    resumed = run_program(*command[1:])
    assert resumed.returncode == 0, resumed.stderr
    assert f"{out}/unet/{STEM}: is there already" in resumed.stderr
    assert "movq" not in resumed.stderr.partition("is there already")[0]
    assert (out / "unet" / STEM).stat().st_ino == written
    assert (out / "model_index.json").is_file()
    for path in model.glob("*/*.safetensors"):
        old, new = (checkpoints.load(folder / path.relative_to(model)) for folder in (model, out))
        assert old.keys() == new.keys()
        assert all(torch.equal(tensor, new[name]) for name, tensor in old.items())


def test_what_cannot_be_converted(originals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    checkpoints.save(tmp_path / "other.ckpt", {"layer.weight": torch.ones(2)})
    result = run_program("convert", tmp_path / "other.ckpt", "--output", out)
    assert result.returncode == INVALID_ARGUMENT
    assert "other.ckpt: not a checkpoint of Kandinsky 2.1" in result.stderr

    tensors = torch.load(originals / "2_1/decoder_fp16.ckpt")
    del tensors["middle_block.1.qkv.weight"], tensors["middle_block.1.qkv.bias"]
    checkpoints.save(tmp_path / "cut.ckpt", tensors)
    result = run_program("convert", tmp_path / "cut.ckpt", originals / MODEL, "--output", out)
    assert "cut.ckpt: tensors are missing: middle_block.1.qkv" in result.stderr

    tensors = torch.load(originals / "2_1/decoder_fp16.ckpt")
    tensors["out.0.weight"] = torch.full_like(tensors["out.0.weight"], 1e6)
    checkpoints.save(tmp_path / "large.ckpt", tensors)
    result = run_program("convert", tmp_path / "large.ckpt", originals / MODEL, "--output", out)
    assert result.returncode == UNSUPPORTED
    assert "tensor 'out.0.weight' has values that are not finite, or too large" in result.stderr
    assert not list(out.glob("unet/*.safetensors"))
    assert not list(out.glob("unet/.kandinsky*"))


@pytest.mark.parametrize("folder", [MODEL_2_2, PRIOR_2_2])
def test_folders_of_kandinsky_2_2_are_refused(
    model: Path, kandinsky_2_2: Path, tmp_path: Path, folder: str
) -> None:
    inputs = [model, kandinsky_2_2 / folder]
    result = run_program("convert", *inputs, "--output", tmp_path / "out")
    assert result.returncode == UNSUPPORTED
    assert f"{folder}: is a KandinskyV22P" in result.stderr
    assert "only folders of Kandinsky 2.1 can be converted" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_projection_without_rows(originals: Path, tmp_path: Path) -> None:
    tensors = torch.load(originals / "2_1/decoder_fp16.ckpt")
    tensors["middle_block.1.qkv.weight"] = tensors["middle_block.1.qkv.weight"][:0]
    checkpoints.save(tmp_path / "empty.ckpt", tensors)
    result = run_program(
        "convert", tmp_path / "empty.ckpt", originals / MODEL, "--output", tmp_path / "out"
    )
    assert result.returncode == CORRUPT
    assert "'middle_block.1.qkv.weight' of shape [0, 64, 1] cannot be split" in result.stderr


def test_numbers_of_another_kind_are_split_alike(originals: Path, tmp_path: Path) -> None:
    tensors = torch.load(originals / "2_1/decoder_fp16.ckpt")
    qkv = torch.arange(tensors["middle_block.1.qkv.bias"].numel())
    tensors["middle_block.1.qkv.bias"] = qkv
    checkpoints.save(tmp_path / "whole.ckpt", tensors)
    out = tmp_path / "out"
    result = run_program("convert", tmp_path / "whole.ckpt", originals / MODEL, "--output", out)
    assert result.returncode == NOT_FOUND, result.stderr  # of the other checkpoints
    unet = checkpoints.load(out / "unet/diffusion_pytorch_model.safetensors")
    parts = [unet[f"mid_block.attentions.0.to_{part}.bias"] for part in "qkv"]
    config = json.loads((out / "unet/config.json").read_text())
    assert torch.equal(fuse(parts, config["attention_head_dim"]), qkv)
