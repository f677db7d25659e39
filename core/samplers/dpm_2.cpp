#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// Midpoints as in DPM-Solver-2 (Lu et al. 2022). Source: k-diffusion, sample_dpm_2.
at::Tensor sample_dpm_2(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    at::Tensor d = to_d(x, sigma, denoised);
    if (next_sigma > 0.0) {
      const double sigma_mid = std::sqrt(sigma * next_sigma);
      const at::Tensor x_2 = x + d * (sigma_mid - sigma);
      d = to_d(x_2, sigma_mid, denoise(input, x_2, sigma_mid));
    }
    x = x + d * (next_sigma - sigma);
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
