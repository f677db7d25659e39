"""Writes kandinsky-demo, -prior and -inpaint in diffusers' folder layout, half precision, and the
same for Kandinsky 2.2: kandinsky-demo-2-2, -2-2-depth and -2-2-prior.

Takes finished parts where there are some, and the averaged weights of the latest UNet checkpoint
otherwise, so that a running training can be looked at. The decoders share MoVQ, text encoder and
tokenizer; each has its own copy, because people move folders about. Those of 2.2 have links
instead, to keep the repository small: their MoVQ and their prior are those of 2.1.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
import vocabularies
from common import MODEL, WORK
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from train_unet import averaged
from train_unet_2_2 import latest
from train_vision import IMAGE
from transformers import (
    CLIPImageProcessor,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
)

# The full-size model clips to 1, which its latents hardly exceed; these are wider.
RANGE = 3.5
PRIOR_PARTS = {
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "image_processor": ["transformers", "CLIPImageProcessor"],
    "prior": ["diffusers", "PriorTransformer"],
    "scheduler": ["diffusers", "UnCLIPScheduler"],
    "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _part(module: torch.nn.Module, folder: Path) -> None:
    module = module.half()
    for name, value in module.state_dict().items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{folder.name}: {name} does not fit into half precision")
    module.save_pretrained(folder)
    # Where it came from on this machine is nobody's business.
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    _write(folder / "config.json", config)


def _scheduler_folders(decoder: Path) -> None:
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear"}
    DDIMScheduler(
        **betas, clip_sample=False, set_alpha_to_one=False, steps_offset=1
    ).save_pretrained(decoder / "scheduler")
    # The full-size model's thresholding squeezes latents into its own range, not into this one's.
    DDPMScheduler(
        **betas, variance_type="learned_range", clip_sample=False, thresholding=False
    ).save_pretrained(decoder / "ddpm_scheduler")


def _decoder(
    work: Path, folder: Path, pipeline: str, unet: UNet2DConditionModel, text: MultilingualCLIP
) -> None:
    movq = work / "movq_final"
    _part(unet, folder / "unet")
    _part(text, folder / "text_encoder")
    _part(VQModel.from_pretrained(movq if movq.exists() else work / "movq"), folder / "movq")
    shutil.copytree(vocabularies.make(work)[1], folder / "tokenizer")
    _scheduler_folders(folder)
    _write(
        folder / "model_index.json",
        {
            "_class_name": pipeline,
            "_diffusers_version": "0.17.0.dev0",
            "movq": ["diffusers", "VQModel"],
            "scheduler": ["diffusers", "DDIMScheduler"],
            "text_encoder": ["kandinsky", "MultilingualCLIP"],
            "tokenizer": ["transformers", "XLMRobertaTokenizerFast"],
            "unet": ["diffusers", "UNet2DConditionModel"],
        },
    )


def _write_index(folder: Path, pipeline: str, components: dict[str, list[str]]) -> None:
    index = {"_class_name": pipeline, "_diffusers_version": "0.18.0.dev0"}
    _write(folder / "model_index.json", index | components)


def _decoder_2_2(folder: Path, pipeline: str, unet: UNet2DConditionModel) -> None:
    _part(unet, folder / "unet")
    (folder / "movq").symlink_to("../kandinsky-demo/movq", target_is_directory=True)
    (folder / "scheduler").mkdir()
    _write(
        folder / "scheduler/scheduler_config.json",
        {
            "_class_name": "DDPMScheduler",
            "_diffusers_version": "0.17.0.dev0",
            "num_train_timesteps": 1000,
            "beta_schedule": "linear",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "clip_sample": True,
            "clip_sample_range": RANGE,
            "set_alpha_to_one": False,
            "steps_offset": 1,
            "prediction_type": "epsilon",
            "thresholding": False,
        },
    )
    _write_index(
        folder,
        pipeline,
        {
            "movq": ["diffusers", "VQModel"],
            "scheduler": ["diffusers", "DDPMScheduler"],
            "unet": ["diffusers", "UNet2DConditionModel"],
        },
    )


def _prior_2_2(target: Path) -> None:
    folder = _empty(target / "kandinsky-demo-2-2-prior")
    for part in PRIOR_PARTS:
        link = f"../kandinsky-demo-prior/{part}"
        (folder / part).symlink_to(link, target_is_directory=True)
    _write_index(folder, "KandinskyV22PriorPipeline", PRIOR_PARTS)


def export_2_2(work: Path, target: Path) -> None:
    """Writes what there is of Kandinsky 2.2's folders, beside those of 2.1 that they link to."""
    for name, ending, pipeline in (
        ("decoder_2_2", "", "KandinskyV22Pipeline"),
        ("depth_2_2", "-depth", "KandinskyV22ControlnetPipeline"),
    ):
        unet = latest(work, name)
        if unet is not None:
            _decoder_2_2(_empty(target / f"kandinsky-demo-2-2{ending}"), pipeline, unet)
    _prior_2_2(target)


def _empty(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def export(work: Path, target: Path) -> None:
    """Writes what there is of 2.1's folders under target, replacing what was there."""
    if (work / "unet").exists():
        unet = UNet2DConditionModel.from_pretrained(work / "unet")
        text = MultilingualCLIP.from_pretrained(work / "xlmr_final")
    else:
        unet, text = averaged(work)
    _decoder(work, _empty(target / "kandinsky-demo"), "KandinskyPipeline", unet, text)
    if (work / "inpaint").exists():
        unet = UNet2DConditionModel.from_pretrained(work / "inpaint")
        folder = _empty(target / "kandinsky-demo-inpaint")
        _decoder(work, folder, "KandinskyInpaintPipeline", unet, text)
    if (work / "prior").exists():
        _prior(work, _empty(target / "kandinsky-demo-prior"))


def show_sizes(target: Path) -> None:
    total = 0
    for file in sorted(target.rglob("*.safetensors")):
        total += file.stat().st_size
        print(f"{file.relative_to(target)}: {file.stat().st_size / 1e6:.2f} MB")
    everything = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"weights: {total / 1e6:.1f} MB, all files: {everything / 1e6:.1f} MB")


def _prior(work: Path, prior: Path) -> None:
    _part(PriorTransformer.from_pretrained(work / "prior"), prior / "prior")
    _part(CLIPTextModelWithProjection.from_pretrained(work / "text"), prior / "text_encoder")
    _part(CLIPVisionModelWithProjection.from_pretrained(work / "vision"), prior / "image_encoder")
    shutil.copytree(vocabularies.make(work)[0], prior / "tokenizer")
    CLIPImageProcessor(
        size={"shortest_edge": IMAGE}, crop_size={"height": IMAGE, "width": IMAGE}
    ).save_pretrained(prior / "image_processor")
    UnCLIPScheduler(
        variance_type="fixed_small_log", clip_sample=True, clip_sample_range=10.0,
        num_train_timesteps=1000, prediction_type="sample",
    ).save_pretrained(prior / "scheduler")  # fmt: skip
    _write(
        prior / "model_index.json",
        {
            "_class_name": "KandinskyPriorPipeline",
            "_diffusers_version": "0.17.0.dev0",
            **PRIOR_PARTS,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--target", type=Path, default=MODEL)
    parser.add_argument("--only-2-2", action="store_true", help="leave the folders of 2.1 alone")
    given = parser.parse_args()
    if not given.only_2_2:
        export(given.work, given.target)
    export_2_2(given.work, given.target)
    show_sizes(given.target)


if __name__ == "__main__":
    main()
