#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// DPM-Solver++(2M) SDE, midpoint, eta 1. Source: k-diffusion, sample_dpmpp_2m_sde; the noise is
/// another, see draw_like.
at::Tensor sample_dpmpp_2m_sde(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  at::Tensor old_denoised;
  double h_last = 0.0;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    if (next_sigma > 0.0) {
      const double h = log_time(next_sigma) - log_time(sigma);
      const double clean_share = -std::expm1(-2.0 * h);
      x = std::exp(-2.0 * h) * x + clean_share * denoised;
      if (old_denoised.defined())
        x = x + 0.5 * clean_share * (h / h_last) * (denoised - old_denoised);
      x = x + draw_like(input, x) * (next_sigma * std::sqrt(clean_share));
      h_last = h;
    } else {
      x = denoised;
    }
    old_denoised = denoised;
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
