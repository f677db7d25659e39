/// The start of a loop, in the two spaces of samplers.
#pragma once

#include <ATen/core/Tensor.h>

#include "samplers/levels.h"
#include "samplers/sampler.h"

namespace kandinsky::samplers {

/// Latents at the first level with variance 1 for unit-variance data, the network's input:
/// sqrt(alpha_prod) * clean + sqrt(1 - alpha_prod) * noise.
at::Tensor start_latents(const SamplerInput& input, const Level& first);

/// Latents at the first level in sigma space: clean + sigma * noise.
at::Tensor start_sigma_latents(const SamplerInput& input, const Level& first);

}  // namespace kandinsky::samplers
