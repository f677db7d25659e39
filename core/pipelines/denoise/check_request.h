#pragma once

#include "options/requests.h"
#include "pipelines/geometry.h"
#include "samplers/noise_schedule.h"

namespace kandinsky::pipelines {

/// Throws Error(kInvalidArgument) for a request of a job that was checked, but that a model of this
/// schedule and geometry cannot denoise.
void check_request(const DenoiseRequest& request, const samplers::NoiseSchedule& schedule,
                   const Geometry& geometry, bool has_inpainting_unet);

}  // namespace kandinsky::pipelines
