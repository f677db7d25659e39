#include "samplers/start.h"

#include <ATen/TensorOperators.h>

#include <cmath>

namespace kandinsky::samplers {

at::Tensor start_latents(const SamplerInput& input, const Level& first) {
  if (input.start.noised_latents.defined()) return input.start.noised_latents;
  if (!input.start.init_latents.defined()) return input.noise;
  // In fp32 as the reference has it, DDIMScheduler.add_noise.
  const auto alpha_prod = static_cast<float>(first.alpha_prod);
  return std::sqrt(alpha_prod) * input.start.init_latents +
         std::sqrt(1.0F - alpha_prod) * input.noise;
}

at::Tensor start_sigma_latents(const SamplerInput& input, const Level& first) {
  if (input.start.noised_latents.defined())
    return input.start.noised_latents * std::sqrt(1.0 + first.sigma * first.sigma);
  if (!input.start.init_latents.defined()) return input.noise * first.sigma;
  return input.start.init_latents + input.noise * first.sigma;
}

}  // namespace kandinsky::samplers
