#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// Source: k-diffusion, sample_dpm_2_ancestral.
at::Tensor sample_dpm_2_ancestral(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    const auto [sigma_down, sigma_up] = ancestral_step(sigma, levels[i + 1].sigma);
    at::Tensor d = to_d(x, sigma, denoised);
    if (sigma_down > 0.0) {
      const double sigma_mid = std::sqrt(sigma * sigma_down);
      const at::Tensor x_2 = x + d * (sigma_mid - sigma);
      d = to_d(x_2, sigma_mid, denoise(input, x_2, sigma_mid));
    }
    x = x + d * (sigma_down - sigma);
    if (sigma_down > 0.0) x = x + draw_like(input, x) * sigma_up;
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
