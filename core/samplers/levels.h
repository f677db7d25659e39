/// The noise levels of a loop.
#pragma once

#include <cstdint>
#include <vector>

#include "base/span.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::samplers {

/// One noise level in its three parametrizations.
struct Level {
  double timestep = 0.0;    ///< may be fractional
  double sigma = 0.0;       ///< noise per unit of clean latents
  double alpha_prod = 1.0;  ///< 1 / (1 + sigma^2): the share of clean latents in the variance
};

/// One level per step, noisiest first, and the final one: nearly always the clean one, a default
/// Level.
using Levels = std::vector<Level>;

/// The levels for a number of steps, at least 1. Throws Error(kInvalidArgument) with the range for
/// an unsupported number.
using LevelsFunction = Levels (*)(const NoiseSchedule& schedule, int num_inference_steps);

/// The levels of these sigmas, and the clean one. Throws Error(kInvalidArgument) unless they fall,
/// from at most the schedule's maximum to at least 0.001, by a thousandth or more.
Levels levels_at_sigmas(const NoiseSchedule& schedule, Span<const double> sigmas);

/// Levels log-linear between these sigmas, including both, and the clean one. One step is the first
/// sigma alone.
Levels interpolated_levels(const NoiseSchedule& schedule, Span<const double> sigmas,
                           int num_inference_steps);

/// Levels that minimise Euler's own error, for 4 to 20 steps, and interpolated for others;
/// see optimized_levels.def. Samplers without a table of their own use it as well.
Levels optimized_euler_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// The level at a timestep of the table.
Level level_at_timestep(const NoiseSchedule& schedule, int64_t timestep);

/// The level of a sigma, more than 0.
Level level_at_sigma(const NoiseSchedule& schedule, double sigma);

}  // namespace kandinsky::samplers
