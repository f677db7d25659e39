/// The loops, one function and file each, and the levels of a single sampler.
#pragma once

#include <ATen/core/Tensor.h>

#include "samplers/levels.h"          // IWYU pragma: export
#include "samplers/noise_schedule.h"  // IWYU pragma: export
#include "samplers/sampler.h"         // IWYU pragma: export

namespace kandinsky::samplers {

/// All take one step upwards.
#define SAMPLER(function, ...) \
  at::Tensor sample_##function(const SamplerInput& input, const Levels& levels);
#include "samplers/samplers.def"

/// Evenly spaced timesteps with the schedule's offset, and the schedule's own last level. Source:
/// diffusers, DDIMScheduler.set_timesteps with spacing "leading".
Levels ddim_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Source: diffusers, DDPMScheduler.set_timesteps with spacing "leading".
Levels ddpm_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Whole timesteps, evenly spaced with one more at the clean end, which is omitted. Source:
/// diffusers, UniPCMultistepScheduler.set_timesteps with spacing "linspace".
Levels unipc_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Levels that minimise DPM++ 2M's own error, for 4 to 20 steps; see optimized_levels.def.
Levels optimized_dpmpp_2m_levels(const NoiseSchedule& schedule, int num_inference_steps);

}  // namespace kandinsky::samplers
