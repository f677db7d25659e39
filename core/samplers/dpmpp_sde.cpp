#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// DPM-Solver++ as a stochastic differential equation, r 1/2, eta 1. Source: k-diffusion,
/// sample_dpmpp_sde; with other noise, see draw_like.
at::Tensor sample_dpmpp_sde(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    if (next_sigma > 0.0) {
      const double sigma_mid = std::sqrt(sigma * next_sigma);
      // From x down to a level and up again by new noise, along the straight line to `clean`.
      const auto step = [&](double to, const at::Tensor& clean) {
        const auto [sigma_down, sigma_up] = ancestral_step(sigma, to);
        const double ratio = sigma_down / sigma;
        return ratio * x + (1.0 - ratio) * clean + draw_like(input, x) * sigma_up;
      };
      x = step(next_sigma, denoise(input, step(sigma_mid, denoised), sigma_mid));
    } else {
      x = denoised;
    }
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
