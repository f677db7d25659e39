#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// DPM-Solver++(3M) SDE, eta 1. Source: k-diffusion, sample_dpmpp_3m_sde; the noise is another, see
/// draw_like.
at::Tensor sample_dpmpp_3m_sde(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  at::Tensor denoised_1;  // one step back, and two
  at::Tensor denoised_2;
  double h_1 = 0.0;
  double h_2 = 0.0;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const double next_sigma = levels[i + 1].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    if (next_sigma > 0.0) {
      const double h = log_time(next_sigma) - log_time(sigma);
      const double h_eta = 2.0 * h;
      const double phi_2 = std::expm1(-h_eta) / h_eta + 1.0;
      const double phi_3 = phi_2 / h_eta - 0.5;
      x = std::exp(-h_eta) * x - std::expm1(-h_eta) * denoised;
      if (denoised_2.defined()) {
        const double r0 = h_1 / h;
        const double r1 = h_2 / h;
        const at::Tensor d1_0 = (denoised - denoised_1) / r0;
        const at::Tensor d1_1 = (denoised_1 - denoised_2) / r1;
        const at::Tensor d2 = (d1_0 - d1_1) / (r0 + r1);
        x = x + phi_2 * (d1_0 + d2 * r0) - phi_3 * d2;
      } else if (denoised_1.defined()) {
        x = x + phi_2 * ((denoised - denoised_1) / (h_1 / h));
      }
      x = x + draw_like(input, x) * (next_sigma * std::sqrt(-std::expm1(-h_eta)));
      h_2 = h_1;
      h_1 = h;
    } else {
      x = denoised;
    }
    denoised_2 = denoised_1;
    denoised_1 = denoised;
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
