#pragma once

#include <ATen/core/Tensor.h>

#include "options/requests.h"
#include "samplers/sampler.h"

namespace kandinsky::pipelines {

/// The start of the request's loop: pure noise without init_latents or, with matched noise, at
/// strength 1; else the noised init_latents. noise: [B, C, h, w] of unit normal numbers.
/// has_own_init_noise: the reference's noise is not the matched one; see UNetRules. At least one
/// step runs.
samplers::SamplerStart prepare_latents(const DenoiseRequest& request, const at::Tensor& noise,
                                       bool has_own_init_noise);

/// Throws Error(kInvalidArgument) if the request uses the reference's noise, if it is not the
/// matched one, with a sampler or a strength that does not support it.
void check_init_noise(const DenoiseRequest& request);

}  // namespace kandinsky::pipelines
