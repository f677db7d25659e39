"""Times guided steps of diffusers' UNet on a device, for check.py: one JSON object."""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

TOKENS = 77
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", choices=list(DTYPES), required=True)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    dtype, is_cuda = DTYPES[options.precision], options.device != "cpu"

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape).to(options.device, dtype)

    unet: Any = UNet2DConditionModel.from_pretrained(options.model / "unet", torch_dtype=dtype)
    config = unet.config
    unet = unet.to(options.device, memory_format=torch.channels_last)
    if options.compiled:
        unet = torch.compile(unet)
    conditions = {
        "encoder_hidden_states": random(2, TOKENS, config.encoder_hid_dim),
        "added_cond_kwargs": {
            "text_embeds": random(2, config.cross_attention_dim),
            "image_embeds": random(2, config.cross_attention_dim),
        },
    }
    scheduler = DDIMScheduler.from_pretrained(options.model / "scheduler")
    scheduler.set_timesteps(100)
    latents = random(1, 4, options.side // 8, options.side // 8)
    seconds = []
    with torch.no_grad():
        for timestep in scheduler.timesteps[: options.steps]:
            start = time.perf_counter()
            prediction = unet(torch.cat([latents] * 2), timestep, **conditions).sample
            uncond, cond = prediction[:, :4].chunk(2)
            guided = uncond + 4.0 * (cond - uncond)
            latents = scheduler.step(guided, timestep, latents).prev_sample
            if is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    peak = (
        torch.cuda.max_memory_allocated()
        if is_cuda
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    # The first ones compile, and choose kernels.
    print(json.dumps({"step": statistics.median(seconds[2:]), "peak": peak}))


if __name__ == "__main__":
    main()
