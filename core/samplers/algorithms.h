/// The loops, one function in a file each; registry.cpp is their table. All take one step upwards.
#pragma once

#include <ATen/core/Tensor.h>

#include "samplers/sampler.h"

namespace kandinsky::samplers {

/// Denoising diffusion implicit models (Song et al. 2020), deterministic (eta 0). Source:
/// diffusers, DDIMScheduler.step.
at::Tensor sample_ddim(const SamplerInput& input, const Levels& levels);

/// Evenly spaced timesteps with the schedule's offset, and the schedule's own last level. Source:
/// diffusers, DDIMScheduler.set_timesteps with spacing "leading".
Levels ddim_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Denoising diffusion probabilistic models (Ho et al. 2020) with the variance that the network
/// predicts (Nichol and Dhariwal 2021) and dynamic thresholding (Saharia et al. 2022), as
/// NoiseSchedule::ddpm says. Source: diffusers, DDPMScheduler.step.
at::Tensor sample_ddpm(const SamplerInput& input, const Levels& levels);

/// Source: diffusers, DDPMScheduler.set_timesteps with spacing "leading".
Levels ddpm_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Algorithm 2 of Karras et al. 2022 without its second order. Source: k-diffusion, sample_euler.
at::Tensor sample_euler(const SamplerInput& input, const Levels& levels);

/// Source: k-diffusion, sample_euler_ancestral.
at::Tensor sample_euler_ancestral(const SamplerInput& input, const Levels& levels);

/// Algorithm 2 of Karras et al. 2022 without churn. Source: k-diffusion, sample_heun.
at::Tensor sample_heun(const SamplerInput& input, const Levels& levels);

/// Linear multistep of order 4. Source: k-diffusion, sample_lms.
at::Tensor sample_lms(const SamplerInput& input, const Levels& levels);

/// Midpoints as in DPM-Solver-2 (Lu et al. 2022). Source: k-diffusion, sample_dpm_2.
at::Tensor sample_dpm_2(const SamplerInput& input, const Levels& levels);

/// Source: k-diffusion, sample_dpm_2_ancestral.
at::Tensor sample_dpm_2_ancestral(const SamplerInput& input, const Levels& levels);

/// DPM-Solver++(2S) (Lu et al. 2022) with ancestral noise. Source: k-diffusion,
/// sample_dpmpp_2s_ancestral.
at::Tensor sample_dpmpp_2s_ancestral(const SamplerInput& input, const Levels& levels);

/// DPM-Solver++(2M) (Lu et al. 2022). Source: k-diffusion, sample_dpmpp_2m.
at::Tensor sample_dpmpp_2m(const SamplerInput& input, const Levels& levels);

/// DPM-Solver++ as a stochastic differential equation, r 1/2, eta 1. Source: k-diffusion,
/// sample_dpmpp_sde; the noise is another, see draw_like.
at::Tensor sample_dpmpp_sde(const SamplerInput& input, const Levels& levels);

/// DPM-Solver++(2M) SDE, midpoint, eta 1. Source: k-diffusion, sample_dpmpp_2m_sde; the noise is
/// another, see draw_like.
at::Tensor sample_dpmpp_2m_sde(const SamplerInput& input, const Levels& levels);

/// DPM-Solver++(3M) SDE, eta 1. Source: k-diffusion, sample_dpmpp_3m_sde; the noise is another, see
/// draw_like.
at::Tensor sample_dpmpp_3m_sde(const SamplerInput& input, const Levels& levels);

/// UniPC (Zhao et al. 2023) of order 2, B2(h), predicting clean latents. Source: diffusers,
/// UniPCMultistepScheduler.
at::Tensor sample_unipc(const SamplerInput& input, const Levels& levels);

/// Whole timesteps, evenly spaced with one more at the clean end, which is left out. Source:
/// diffusers, UniPCMultistepScheduler.set_timesteps with spacing "linspace".
Levels unipc_levels(const NoiseSchedule& schedule, int num_inference_steps);

}  // namespace kandinsky::samplers
