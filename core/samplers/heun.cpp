#include <ATen/TensorOperators.h>

#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// Algorithm 2 of Karras et al. 2022 without churn. Source: k-diffusion, sample_heun.
at::Tensor sample_heun(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    at::Tensor d = to_d(x, sigma, denoised);
    if (next_sigma > 0.0) {
      const at::Tensor x_2 = x + d * (next_sigma - sigma);
      d = (d + to_d(x_2, next_sigma, denoise(input, x_2, next_sigma))) / 2.0;
    }
    x = x + d * (next_sigma - sigma);
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
