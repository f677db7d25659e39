#include "samplers/sigma_space.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

namespace kandinsky::samplers {

at::Tensor denoise(const SamplerInput& input, const at::Tensor& x, double sigma) {
  const at::Tensor latents = x / std::sqrt(1.0 + sigma * sigma);
  return x - sigma * input.denoiser(latents, input.schedule.timestep(sigma)).noise_pred;
}

at::Tensor to_d(const at::Tensor& x, double sigma, const at::Tensor& denoised) {
  return (x - denoised) / sigma;
}

AncestralStep ancestral_step(double sigma_from, double sigma_to) {
  const double ratio = sigma_to / sigma_from;
  const double sigma_up = std::min(sigma_to, sigma_to * std::sqrt(1.0 - ratio * ratio));
  return {.sigma_down = sigma_to * ratio, .sigma_up = sigma_up};
}

at::Tensor draw_like(const SamplerInput& input, const at::Tensor& x) {
  return input.generator.draw_all(x.sizes().slice(1));
}

double log_time(double sigma) { return -std::log(sigma); }

}  // namespace kandinsky::samplers
