#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// DPM-Solver++(2M) (Lu et al. 2022). Source: k-diffusion, sample_dpmpp_2m.
at::Tensor sample_dpmpp_2m(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  at::Tensor old_denoised;
  double h_last = 0.0;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    if (next_sigma > 0.0) {
      const double h = log_time(next_sigma) - log_time(sigma);
      at::Tensor denoised_d = denoised;
      if (old_denoised.defined()) {
        const double r = h_last / h;
        denoised_d = (1.0 + 1.0 / (2.0 * r)) * denoised - (1.0 / (2.0 * r)) * old_denoised;
      }
      x = (next_sigma / sigma) * x - std::expm1(-h) * denoised_d;
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
