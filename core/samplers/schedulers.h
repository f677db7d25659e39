/// Schedulers: the noise levels of a loop's steps.
#pragma once

#include <string_view>

#include "base/span.h"
#include "samplers/levels.h"
#include "samplers/noise_schedule.h"
#include "samplers/sampler.h"

namespace kandinsky::samplers {

struct Scheduler {
  const char* name;                                   ///< as in hosts
  const char* description;                            ///< one line for users
  LevelsFunction levels;                              ///< null: the sampler's own
  LevelsFunction Sampler::*sampler_levels = nullptr;  ///< which field

  LevelsFunction levels_for(const Sampler& sampler) const {
    return levels != nullptr ? levels : sampler.*sampler_levels;
  }
};

/// The table of all schedulers; the first one is the default.
Span<const Scheduler> schedulers();

/// The scheduler of that name, in any case. Throws Error(kInvalidArgument) listing the known ones.
const Scheduler& find_scheduler(std::string_view name);

// The levels of each. All except DDIM begin at the noisiest level of the table; most end at the
// least noisy one, followed by the clean one. One step is the first level alone.

/// Evenly spaced in timesteps. Source: k-diffusion, DiscreteSchedule.get_sigmas.
Levels uniform_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Karras et al. 2022, equation (5), rho 7. Source: k-diffusion, get_sigmas_karras.
Levels karras_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Evenly spaced in the logarithm of sigma. Source: k-diffusion, get_sigmas_exponential.
Levels exponential_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// A power of an even spacing in the logarithm of sigma; hosts use the power 1, which is
/// exponential_levels. Source: k-diffusion, get_sigmas_polyexponential.
Levels polyexponential_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Evenly spaced in timesteps, as uniform_levels with one more step, without the last.
/// Source: A1111, sgm_uniform.
Levels sgm_uniform_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Quantiles of the beta distribution with both parameters 0.6: dense at both ends ("Beta Sampling
/// is All You Need", Lee et al. 2024). Source: A1111, beta_scheduler.
Levels beta_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// The table's own levels, evenly spaced from the noisiest one and stopping before the last.
/// Source: A1111, simple_scheduler.
Levels simple_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Evenly spaced whole timesteps from 1 upwards, so that the first of 20 is 951. The host takes
/// more steps if their number does not divide the table. Source: A1111, ddim_scheduler.
Levels ddim_uniform_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// Evenly spaced in the arc tangent of sigma, and ends at the least noisy level instead of the
/// clean one. Source: A1111, kl_optimal ("KL Optimal", Sabour et al. 2024, appendix).
Levels kl_optimal_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// The ten levels that were optimised for Stable Diffusion 1.5, found by their sigmas, after this
/// table's noisiest one; for other numbers of steps interpolated log-linearly. Source:
/// A1111, get_align_your_steps_sigmas ("Align Your Steps", Sabour et al. 2024).
Levels align_your_steps_levels(const NoiseSchedule& schedule, int num_inference_steps);

}  // namespace kandinsky::samplers
