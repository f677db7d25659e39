"""Records what k-diffusion's and diffusers' samplers compute, for the parity tests.

Run in the reference environment (requirements.txt and sampler-requirements.txt):

    .venv-references/bin/python tests/parity/make_sampler_references.py

Files are named <what>.<where the model comes from>.safetensors. A case is named

    <sampler>|<scheduler>|<steps>|<skipped steps>|<start>

and holds `latents`, the end of the loop, and in some cases `clean`, the clean latents that each
step predicted, [steps, B, 4, 8, 8]. Row i of a batch draws its noise, and then what its steps draw,
from a generator of seed SEED + i, as each image of ours does. <start> is
"noise", "init" (the clean `shared/init_latents` with noise of the first level that is left) or
"noised" (the same tensor taken for latents that have their noise already, with variance 1).

The libraries' functions are used as they are. Their noise is replaced: k-diffusion's SDE samplers
would take increments of one Brownian path. Where a library lacks a sampler's scheduler, its own
code is given the levels: DDPM a table of them, UniPC its `sigmas`; and DDIM is k-diffusion's Euler,
which it equals on levels that end at no noise, or has a table where it bounds clean latents.

The configs of Kandinsky 2.2 have the noise of 2.1's. Of its samplers those are recorded again for
which they have other rules.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import diffusers
import numpy as np
import scipy
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
REFERENCES = HERE / "references"
CONFIGS = HERE.parent / "support" / "configs"
sys.path.insert(0, str(HERE.parent / "support"))

import tiny_model  # noqa: E402  the folder beside this one is no package


def import_k_diffusion() -> None:
    """Makes its sampling.py and external.py importable alone, without what training needs."""
    site = next(
        path for path in map(Path, sys.path) if (path / "k_diffusion" / "sampling.py").exists()
    )
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(site / "k_diffusion")]
    sys.modules["k_diffusion"] = package
    for name in ("torchvision", "torchvision.transforms"):
        module = types.ModuleType(name)
        module.functional = module.transforms = None
        sys.modules.setdefault(name, module)


import_k_diffusion()

from k_diffusion import external, sampling  # noqa: E402  needs the lines before

Record = dict[str, torch.Tensor]
# latents [B, 4, h, w] of variance 1, timestep -> prediction [B, 8, h, w], noise before variance
Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Rules:
    """The scheduler configs of a model, below CONFIGS."""

    ddim: str
    ddpm: str

    def load(self, kind: type, **changes: object) -> diffusers.SchedulerMixin:
        folder = self.ddpm if kind is DDPMScheduler else self.ddim
        return kind.from_pretrained(CONFIGS / folder, **changes)

    @property
    def bounds_ddim(self) -> bool:
        return bool(self.load(DDIMScheduler).config.clip_sample)


def rules_of_2_2(model: str) -> Rules:
    """One config for both."""
    scheduler = f"tiny-2-2-{model}/scheduler"
    return Rules(scheduler, scheduler)


RULES_2_1 = Rules("tiny-2-1/scheduler", "tiny-2-1/ddpm_scheduler")
DECODER_2_2 = rules_of_2_2("decoder")
INPAINT_2_2 = rules_of_2_2("decoder-inpaint")
SEED = 20230403
K_DIFFUSION = {
    "Euler": sampling.sample_euler,
    "Euler a": sampling.sample_euler_ancestral,
    "Heun": sampling.sample_heun,
    "LMS": sampling.sample_lms,
    "DPM2": sampling.sample_dpm_2,
    "DPM2 a": sampling.sample_dpm_2_ancestral,
    "DPM++ 2S a": sampling.sample_dpmpp_2s_ancestral,
    "DPM++ 2M": sampling.sample_dpmpp_2m,
    "DPM++ SDE": sampling.sample_dpmpp_sde,
    "DPM++ 2M SDE": sampling.sample_dpmpp_2m_sde,
    "DPM++ 3M SDE": sampling.sample_dpmpp_3m_sde,
}
STOCHASTIC = ("Euler a", "DPM2 a", "DPM++ 2S a", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 3M SDE")
SAMPLERS = ("DDIM", "DDPM", *K_DIFFUSION, "UniPC")
# What the host's samplers take for the scheduler "Automatic", and which of them it gives one level
# more to leave out the last but one.
HOST_DEFAULTS = {
    "DPM2": "Karras",
    "DPM2 a": "Karras",
    "DPM++ 2S a": "Karras",
    "DPM++ 2M": "Karras",
    "DPM++ SDE": "Karras",
    "DPM++ 2M SDE": "Exponential",
    "DPM++ 3M SDE": "Exponential",
}
DISCARDING = ("DPM2", "DPM2 a", "DPM++ 3M SDE")
SCHEDULERS = (
    *("Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "Beta"),
    *("KL Optimal", "Align Your Steps", "Simple", "Normal", "DDIM", "Optimized"),
)
OPTIMIZED = {
    (sampler, levels.count(",") + 1): [float(level) for level in levels.split(",")]
    for sampler, levels in re.findall(
        r"^LEVELS\((\w+), (.*)\)$",
        (HERE.parents[1] / "core/samplers/optimized_levels.def").read_text(),
        re.MULTILINE,
    )
}
"""The table of our own, on which the libraries' loops run."""
ALIGN_YOUR_STEPS = (6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
"""The paper's for Stable Diffusion 1.5 and ten steps, behind the model's own first one."""
BETA_SHAPE = 0.6  # the host's default for both parameters


@dataclass(frozen=True)
class Case:
    sampler: str
    scheduler: str = "Automatic"
    steps: int = 6
    skipped: int = 0
    start: str = "noise"
    rows: int = 1
    keeps_clean: bool = False  # records the predictions too

    @property
    def name(self) -> str:
        return f"{self.sampler}|{self.scheduler}|{self.steps}|{self.skipped}|{self.start}"


def analytic_cases(sampler: str) -> list[Case]:
    return [
        Case(sampler, steps=1, keeps_clean=True),
        Case(sampler, steps=2, keeps_clean=True),
        Case(sampler, steps=6, rows=2, keeps_clean=True),
        Case(sampler, steps=50),
        Case(sampler, steps=8, skipped=5, start="init", keeps_clean=True),
        Case(sampler, steps=8, skipped=7, start="init"),
        Case(sampler, steps=8, skipped=2, start="noise"),
        Case(sampler, steps=8, skipped=3, start="noised"),
        # Diffusers' loops end at no noise, KL Optimal does not.
        *(
            Case(sampler, scheduler, steps=7)
            for scheduler in SCHEDULERS
            if scheduler != "KL Optimal" or sampler not in ("DDIM", "DDPM", "UniPC")
        ),
        Case(sampler, "Karras", steps=1),
        Case(sampler, "Karras", steps=8, skipped=3, start="init", keeps_clean=True),
    ]


def unet_cases(sampler: str) -> list[Case]:
    return [
        Case(sampler, steps=5, keeps_clean=True),
        Case(sampler, "Karras", steps=8, skipped=4, start="init"),
    ]


class Draws:
    """Unit normal numbers, one stream for each row."""

    def __init__(self, rows: int) -> None:
        self.generators = [torch.Generator().manual_seed(SEED + row) for row in range(rows)]

    def __call__(self, *_: object) -> torch.Tensor:
        return torch.cat([torch.randn(1, 4, 8, 8, generator=g) for g in self.generators])


ALPHAS_CUMPROD = RULES_2_1.load(DDIMScheduler).alphas_cumprod


def denoiser(model: Model) -> external.DiscreteEpsDDPMDenoiser:
    def noise(latents: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return model(latents, t[0])[:, :4]

    return external.DiscreteEpsDDPMDenoiser(noise, ALPHAS_CUMPROD, quantize=False)


def scheduler_sigmas(scheduler: str, steps: int, sampler: str = "") -> torch.Tensor:
    """As the host has them, of its schedulers' own definitions or k-diffusion's."""
    table = denoiser(lambda latents, _: latents)
    sigma_min, sigma_max = table.sigmas[0].item(), table.sigmas[-1].item()
    if scheduler == "Uniform":
        return table.get_sigmas(steps)
    if scheduler == "Karras":
        return sampling.get_sigmas_karras(steps, sigma_min, sigma_max, rho=7.0)
    if scheduler == "Exponential":
        return sampling.get_sigmas_exponential(steps, sigma_min, sigma_max)
    if scheduler == "Polyexponential":
        return sampling.get_sigmas_polyexponential(steps, sigma_min, sigma_max, rho=1.0)
    if scheduler == "SGM Uniform":
        t = torch.linspace(len(table.sigmas) - 1, 0, steps + 1)[:-1]
        return sampling.append_zero(table.t_to_sigma(t))
    if scheduler == "Beta":
        shares = scipy.stats.beta.ppf(1 - np.linspace(0, 1, steps), BETA_SHAPE, BETA_SHAPE)
        sigmas = sigma_min + shares * (sigma_max - sigma_min)
        return sampling.append_zero(torch.from_numpy(sigmas).float())
    last = len(table.sigmas) - 1
    if scheduler == "KL Optimal":
        angles = np.linspace(np.arctan(sigma_max), np.arctan(sigma_min), steps + 1)
        return torch.from_numpy(np.tan(angles)).float()
    if scheduler == "Optimized":
        levels = OPTIMIZED["dpmpp_2m" if sampler == "DPM++ 2M" else "euler", steps]
        return sampling.append_zero(torch.tensor([sigma_max, *levels[1:]]))
    if scheduler == "Align Your Steps":
        known = np.log([sigma_max, *ALIGN_YOUR_STEPS[:-1], sigma_min])
        shares = np.linspace(0, 1, steps)
        sigmas = np.exp(np.interp(shares, np.linspace(0, 1, len(known)), known))
        return sampling.append_zero(torch.from_numpy(sigmas).float())
    if scheduler == "Simple":
        t = [last - int(i * (last + 1) / steps) for i in range(steps)]
    elif scheduler == "Normal":
        t = np.linspace(last, 0, steps)
    elif scheduler == "DDIM":
        t = [1 + int(i * (last + 1) / steps) for i in reversed(range(steps))]
    else:
        raise ValueError(scheduler)
    return sampling.append_zero(table.t_to_sigma(torch.tensor(np.asarray(t), dtype=torch.float32)))


def sampler_sigmas(case: Case) -> torch.Tensor:
    scheduler = case.scheduler
    if scheduler == "Automatic":
        scheduler = HOST_DEFAULTS.get(case.sampler, "Uniform")
    if case.sampler not in DISCARDING:
        return scheduler_sigmas(scheduler, case.steps, case.sampler)
    sigmas = scheduler_sigmas(scheduler, case.steps + 1, case.sampler)
    return torch.cat([sigmas[:-2], sigmas[-1:]])


def run_k_diffusion(
    case: Case, function: Callable[..., torch.Tensor], model: Model, init: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    draws = Draws(case.rows)
    sigmas = sampler_sigmas(case)[case.skipped :]
    scale = (sigmas[0] ** 2 + 1).sqrt()
    if case.start == "noised":
        x = init * scale
    elif case.start == "init":
        x = init + sigmas[0] * draws()
    elif case.sampler == "DDIM":  # works on latents of variance 1
        x = draws() * scale
    else:
        x = draws() * sigmas[0]
    if case.start == "noised":
        draws()  # the image's first noise, which is not used
    options = {"noise_sampler": draws} if case.sampler in STOCHASTIC else {}
    if len(sigmas) == 2 and case.sampler in ("DPM++ 2M SDE", "DPM++ 3M SDE"):
        function, options = sampling.sample_euler, {}  # they raise; their last step is Euler's
    clean: list[torch.Tensor] = []
    latents = function(
        denoiser(model),
        x,
        sigmas,
        callback=lambda state: clean.append(state["denoised"]),
        disable=True,
        **options,
    )
    return latents, clean


def on_table(
    kind: type, case: Case, rules: Rules, model: Model
) -> tuple[diffusers.SchedulerMixin, torch.Tensor]:
    """A scheduler that knows the case's levels only, and the model's own timesteps of them."""
    sigmas = sampler_sigmas(case)[:-1]
    changes = {} if kind is DDPMScheduler else {"set_alpha_to_one": True}
    scheduler = rules.load(kind, num_train_timesteps=case.steps, steps_offset=0, **changes)
    scheduler.alphas_cumprod = (1 / (1 + sigmas**2)).flip(0)
    scheduler.set_timesteps(case.steps)
    return scheduler, denoiser(model).sigma_to_t(sigmas)


def run_diffusers(
    case: Case, model: Model, init: torch.Tensor, rules: Rules
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """DDIM, DDPM and UniPC: their `step`, in the loop of diffusers' pipelines."""
    draws = Draws(case.rows)
    options: dict[str, object] = {}
    if case.sampler == "DDIM":
        scheduler = rules.load(DDIMScheduler)
        scheduler.set_timesteps(case.steps)
        model_timesteps = scheduler.timesteps
        if case.scheduler != "Automatic":
            scheduler, model_timesteps = on_table(DDIMScheduler, case, rules, model)
    elif case.sampler == "UniPC":
        scheduler = UniPCMultistepScheduler(beta_start=0.00085, beta_end=0.012)
        scheduler.set_timesteps(case.steps)
        if case.scheduler != "Automatic":
            scheduler.sigmas = sampler_sigmas(case)
            scheduler.timesteps = denoiser(model).sigma_to_t(scheduler.sigmas[:-1])
        model_timesteps = scheduler.timesteps
    else:
        options["generator"] = draws.generators
        scheduler = rules.load(DDPMScheduler)
        scheduler.set_timesteps(case.steps)
        model_timesteps = scheduler.timesteps
        if case.scheduler != "Automatic":
            scheduler, model_timesteps = on_table(DDPMScheduler, case, rules, model)
    timesteps = scheduler.timesteps[case.skipped :]
    if case.sampler == "UniPC":
        scheduler.set_begin_index(case.skipped)

    noise = draws()
    x = noise
    if case.start == "noised":
        x = init
    elif case.start == "init" and case.sampler == "UniPC":
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[case.skipped])
        x = alpha * init + sigma * noise
    elif case.start == "init":
        x = scheduler.add_noise(init, noise, timesteps[:1])
    clean: list[torch.Tensor] = []
    for t, model_t in zip(timesteps, model_timesteps[case.skipped :], strict=True):
        output = model(x, model_t)
        if scheduler.config.get("variance_type") != "learned_range":
            output = output[:, :4]
        if case.sampler == "UniPC":
            x = scheduler.step(output, t, x).prev_sample
            clean.append(scheduler.model_outputs[-1])
        else:
            step = scheduler.step(output, t, x, **options)
            clean.append(step.pred_original_sample)
            x = step.prev_sample
    return x, clean


def run(case: Case, model: Model, init: torch.Tensor, rules: Rules = RULES_2_1) -> Record:
    init = init[: case.rows]
    if case.sampler in K_DIFFUSION:
        latents, clean = run_k_diffusion(case, K_DIFFUSION[case.sampler], model, init)
    elif case.sampler == "DDIM" and case.scheduler != "Automatic" and not rules.bounds_ddim:
        latents, clean = run_k_diffusion(case, sampling.sample_euler, model, init)
    else:
        latents, clean = run_diffusers(case, model, init, rules)
    if len(clean) != case.steps - case.skipped or not latents.isfinite().all():
        raise ValueError(f"{case.name}: {len(clean)} steps, {latents.abs().max()}")
    record = {f"{case.name}/latents": latents}
    if case.keeps_clean:
        record[f"{case.name}/clean"] = torch.stack(clean)
    return record


def analytic_model(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    noise = torch.tanh(latents) * 0.5 + timestep.to(torch.float64).item() / 2000.0
    return torch.cat([noise, torch.tanh(latents * 0.3)], dim=1)


def init_latents() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(SEED + 100))


TIMESTEPS = (1, 2, 3, 10, 20, 30, 50, 64, 100, 150, 999)


def levels() -> Record:
    """`sigmas` of every scheduler, and the samplers' own levels."""
    record: Record = {}
    for steps in (1, 2, 5, 10, 30, 1000):
        for scheduler in SCHEDULERS:
            if (scheduler, steps) == ("DDIM", 1000):
                continue  # begins at timestep 1
            if scheduler == "Optimized":
                continue  # no formula; levels_test.cpp looks at the table
            sigmas = scheduler_sigmas(scheduler, steps)
            record[f"{scheduler}|{steps}/sigmas"] = sigmas
    for steps in TIMESTEPS:
        ddpm = RULES_2_1.load(DDPMScheduler)
        ddim = RULES_2_1.load(DDIMScheduler)
        unipc = UniPCMultistepScheduler(beta_start=0.00085, beta_end=0.012)
        for name, scheduler in {"DDIM": ddim, "DDPM": ddpm, "UniPC": unipc}.items():
            scheduler.set_timesteps(steps)
            record[f"{name}|{steps}/timesteps"] = scheduler.timesteps
    for steps in (1, 2, 10):
        for sampler in K_DIFFUSION:
            record[f"{sampler}|{steps}/sigmas"] = sampler_sigmas(Case(sampler, steps=steps))
    return record


def analytic() -> Record:
    init = init_latents()
    record: Record = {"shared/init_latents": init}
    for sampler in SAMPLERS:
        for case in analytic_cases(sampler):
            record |= run(case, analytic_model, init)
    return record


def check_noise(rules: Rules) -> None:
    """That all other samplers find the levels of 2.1."""
    for kind in (DDIMScheduler, DDPMScheduler):
        if not torch.equal(rules.load(kind).alphas_cumprod, ALPHAS_CUMPROD):
            raise ValueError(f"{rules}: the noise is not that of 2.1")


def levels_2_2() -> Record:
    record: Record = {}
    for steps in TIMESTEPS:
        for kind in (DDIMScheduler, DDPMScheduler):
            scheduler = DECODER_2_2.load(kind)
            scheduler.set_timesteps(steps)
            name = kind.__name__.removesuffix("Scheduler")
            record[f"{name}|{steps}/timesteps"] = scheduler.timesteps
    return record


def analytic_2_2() -> Record:
    """DDIM and DDPM, which bound clean latents."""
    check_noise(DECODER_2_2)
    init = init_latents()
    record: Record = {"shared/init_latents": init}
    for sampler in ("DDIM", "DDPM"):
        for case in analytic_cases(sampler):
            made = run(case, analytic_model, init, DECODER_2_2)
            clean = made.get(f"{case.name}/clean")
            if clean is not None and (clean.abs() == 1).float().mean() < 0.01:
                raise ValueError(f"{case.name}: hardly any clean latents pass 1")
            record |= made
    return record


def analytic_2_2_inpaint() -> Record:
    """DDPM without bounds."""
    check_noise(INPAINT_2_2)
    if INPAINT_2_2.bounds_ddim:
        raise ValueError("DDIM is not that of 2.1")
    init = init_latents()
    record: Record = {"shared/init_latents": init}
    for case in analytic_cases("DDPM"):
        record |= run(case, analytic_model, init, INPAINT_2_2)
    return record


def unet() -> Record:
    draw = torch.Generator().manual_seed(SEED)
    init = init_latents()
    with tempfile.TemporaryDirectory() as folder:
        if tiny_model.main([folder, "--models", "tiny-2-1"]) != 0:
            raise SystemExit(1)
        network = UNet2DConditionModel.from_pretrained(Path(folder) / "tiny-2-1" / "unet")
    width = network.config.cross_attention_dim
    embeds = {
        "image_embeds": torch.randn(1, width, generator=draw),
        "prompt_embeds": torch.randn(1, width, generator=draw),
        "text_encoder_hidden_states": torch.randn(
            1, 77, network.config.encoder_hid_dim, generator=draw
        ),
    }

    def model(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return network(
            latents,
            timestep,
            encoder_hidden_states=embeds["text_encoder_hidden_states"],
            added_cond_kwargs={
                "text_embeds": embeds["prompt_embeds"],
                "image_embeds": embeds["image_embeds"],
            },
        ).sample

    record: Record = {"shared/init_latents": init}
    record |= {f"shared/{name}": tensor for name, tensor in embeds.items()}
    for sampler in SAMPLERS:
        for case in unet_cases(sampler):
            record |= run(case, model, init)
    return record


FILES: dict[str, Callable[[], Record]] = {
    "sampler_levels.analytic": levels,
    "samplers.analytic": analytic,
    "samplers.tiny-2-1": unet,
    "sampler_levels_2_2.analytic": levels_2_2,
    "samplers_2_2.analytic": analytic_2_2,
    "samplers_2_2_inpaint.analytic": analytic_2_2_inpaint,
}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description="Records what the reference samplers compute.")
    parser.add_argument("--only", nargs="+", choices=FILES, help="files to record; default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    for name in options.only or FILES:
        record = {key: tensor.contiguous().clone() for key, tensor in FILES[name]().items()}
        path = REFERENCES / f"{name}.safetensors"
        origin = {
            "recorded_by": "tests/parity/make_sampler_references.py",
            "seed": SEED,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "k-diffusion": importlib.metadata.version("k-diffusion"),
            "scipy": scipy.__version__,
        }
        # In one entry: the writer orders entries at random, and equal records shall be equal files.
        save_file(record, path, metadata={"origin": json.dumps(origin)})
        path.chmod(0o644)
        print(f"{path.name}: {len(record)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
