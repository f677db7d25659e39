#include <ATen/TensorOperators.h>

#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// Source: k-diffusion, sample_euler_ancestral.
at::Tensor sample_euler_ancestral(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    const auto [sigma_down, sigma_up] = ancestral_step(sigma, levels[i + 1].sigma);
    x = x + to_d(x, sigma, denoised) * (sigma_down - sigma);
    if (levels[i + 1].sigma > 0.0) x = x + draw_like(input, x) * sigma_up;
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
