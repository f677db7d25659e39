#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

/// DPM-Solver++(2S) (Lu et al. 2022) with ancestral noise. Source: k-diffusion,
/// sample_dpmpp_2s_ancestral.
at::Tensor sample_dpmpp_2s_ancestral(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i].sigma;
    const at::Tensor denoised = denoise(input, x, sigma);
    const auto [sigma_down, sigma_up] = ancestral_step(sigma, levels[i + 1].sigma);
    if (sigma_down > 0.0) {
      const double sigma_mid = std::sqrt(sigma * sigma_down);
      const double ratio_mid = sigma_mid / sigma;
      const double ratio = sigma_down / sigma;
      const at::Tensor x_2 = ratio_mid * x + (1.0 - ratio_mid) * denoised;
      x = ratio * x + (1.0 - ratio) * denoise(input, x_2, sigma_mid);
      x = x + draw_like(input, x) * sigma_up;
    } else {
      x = denoised;
    }
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
