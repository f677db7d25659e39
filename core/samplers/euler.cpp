#include <ATen/TensorOperators.h>

#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// Algorithm 2 of Karras et al. 2022 without its second order. Source: k-diffusion, sample_euler.
at::Tensor sample_euler(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    x = x + to_d(x, sigma, denoised) * (levels[i + 1].sigma - sigma);
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
