#pragma once

#include <cstdint>

#include "io/json_config.h"

namespace kandinsky::samplers {

/// Settings of the sampler DDPM besides the noise schedule. The defaults are those of Kandinsky
/// 2.1's "ddpm_scheduler".
struct DdpmConfig {
  enum class Variance {
    kLearnedRange,  ///< between the two others, predicted by the network; else kFixedSmall
    kFixedSmall,
    kFixedLarge,
  };
  Variance variance = Variance::kLearnedRange;
  /// Clean latents are clipped per image to this quantile of their absolute values, between 1 and
  /// sample_max_value, and scaled to at most 1. 0: no thresholding.
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 2.0;
  /// Without thresholding, clean latents are clipped to this. 0: no clipping.
  double clip_sample_range = 0.0;
  /// Added to every timestep of its own levels.
  int64_t steps_offset = 0;

  /// Throws Error(kUnsupported) for another kind of variance, prediction or spacing,
  /// Error(kCorruptFile) for numbers out of range. Betas are not read: they are the schedule's.
  /// Source: diffusers, DDPMScheduler.
  static DdpmConfig from_json(const io::JsonConfig& json);
};

}  // namespace kandinsky::samplers
