#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/json_config.h"

namespace kandinsky::samplers {

/// The forward process that the decoder was trained with, from a scheduler_config.json.
struct NoiseSchedule {
  /// Cumulative products of 1 - beta, one for each training step. Computed in fp32, since the
  /// reference's rounding is visible.
  std::vector<float> alphas_cumprod;
  /// Added to every timestep of evenly spaced schedules.
  int64_t steps_offset = 0;
  /// What stands for alphas_cumprod before timestep 0.
  float final_alpha_cumprod = 1.0F;

  int64_t num_train_timesteps() const { return static_cast<int64_t>(alphas_cumprod.size()); }

  /// Throws Error(kUnsupported) for a kind of schedule or prediction that no Kandinsky decoder has,
  /// Error(kCorruptFile) for numbers that make no schedule. Source: diffusers, DDIMScheduler.
  static NoiseSchedule from_json(const io::JsonConfig& json);
};

}  // namespace kandinsky::samplers
