#pragma once

#include "options/requests.h"
#include "pipelines/geometry.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// What a model is, as far as its requests depend on it.
struct ModelLimits {
  const samplers::NoiseSchedule& schedule;
  const Geometry& geometry;
  bool has_inpainting_unet = false;  ///< that a mask can be shown to
  bool takes_hints = false;          ///< and needs them
  bool has_own_init_noise = false;   ///< see UNetRules
};

/// Throws Error(kInvalidArgument) for a request of a job that was checked, but that this model
/// cannot denoise.
void check_request(const DenoiseRequest& request, const ModelLimits& model);

}  // namespace kandinsky::pipelines
