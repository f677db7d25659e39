#pragma once

#include "options/requests.h"
#include "pipelines/geometry.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// The properties of a model that its requests depend on.
struct ModelLimits {
  const samplers::NoiseSchedule& schedule;
  const Geometry& geometry;
  bool has_inpainting_unet = false;  ///< which can get a mask
  bool takes_hints = false;          ///< and requires them
  bool has_own_init_noise = false;   ///< see UNetRules
};

/// Throws Error(kInvalidArgument) for a request of a checked job that this model does not
/// support.
void check_request(const DenoiseRequest& request, const ModelLimits& model);

}  // namespace kandinsky::pipelines
