#pragma once

#include <vector>

#include "samplers/sampler.h"

namespace kandinsky::samplers {

/// Evenly spaced timesteps, largest first. Throws Error(kInvalidArgument) for a count that leaves
/// the table. Source: diffusers, DDIMScheduler.set_timesteps with spacing "leading".
std::vector<int64_t> ddim_timesteps(const NoiseSchedule& schedule, int num_inference_steps);

/// Denoising diffusion implicit models (Song et al. 2020), deterministic (eta 0). Takes 1 step
/// upwards. Source: diffusers, DDIMScheduler.step.
at::Tensor sample_ddim(const SamplerInput& input);

void check_ddim_steps(const NoiseSchedule& schedule, int num_inference_steps);

}  // namespace kandinsky::samplers
