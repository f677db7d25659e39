/// The noise levels that a loop walks down.
#pragma once

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

/// One level per step, noisiest first, and the one that is reached at the end: nearly always the
/// clean one, a default Level.
using Levels = std::vector<Level>;

/// The levels of so many steps, at least 1. Throws Error(kInvalidArgument) naming the range if it
/// has no levels for so many.
using LevelsFunction = Levels (*)(const NoiseSchedule& schedule, int num_inference_steps);

/// The levels of these sigmas, and the clean one. Throws Error(kInvalidArgument) unless they fall,
/// from what the schedule has at most to more than 0.
Levels levels_at_sigmas(const NoiseSchedule& schedule, Span<const double> sigmas);

/// So many levels and the clean one, log-linear between these sigmas, at which the first and the
/// last stand. One step is the first alone.
Levels interpolated_levels(const NoiseSchedule& schedule, Span<const double> sigmas,
                           int num_inference_steps);

/// Where Euler's own error is least, for 4 to 20 steps, and between the levels of these for others;
/// see optimized_levels.def. Samplers without a table of their own take it, too.
Levels optimized_euler_levels(const NoiseSchedule& schedule, int num_inference_steps);

/// The level at a timestep of the table.
Level level_at_timestep(const NoiseSchedule& schedule, int64_t timestep);

/// The level of that much noise. sigma: more than 0.
Level level_at_sigma(const NoiseSchedule& schedule, double sigma);

}  // namespace kandinsky::samplers
