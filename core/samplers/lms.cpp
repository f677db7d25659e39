#include <ATen/TensorOperators.h>

#include <cmath>
#include <cstddef>
#include <deque>

#include "samplers/algorithms.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {
namespace {

constexpr size_t kOrder = 4;

/// The integral over step i of the Lagrange polynomial of the derivative j steps back. Two points
/// of Gauss are exact for its degree, at most 3.
double linear_multistep_coeff(const Levels& levels, size_t order, size_t i, size_t j) {
  const double from = levels[i].sigma;
  const double to = levels[i + 1].sigma;
  double sum = 0.0;
  for (const double point : {-1.0 / std::sqrt(3.0), 1.0 / std::sqrt(3.0)}) {
    const double tau = (from + to) / 2.0 + point * (to - from) / 2.0;
    double product = 1.0;
    for (size_t k = 0; k < order; ++k) {
      if (k == j) continue;
      product *= (tau - levels[i - k].sigma) / (levels[i - j].sigma - levels[i - k].sigma);
    }
    sum += product;
  }
  return sum * (to - from) / 2.0;
}

}  // namespace

/// Linear multistep of order 4. Source: k-diffusion, sample_lms.
at::Tensor sample_lms(const SamplerInput& input, const Levels& levels) {
  at::Tensor x = start_sigma_latents(input, levels.front());
  std::deque<at::Tensor> derivatives;  // the newest first
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const at::Tensor denoised = denoise(input, x, levels[i].sigma);
    derivatives.push_front(to_d(x, levels[i].sigma, denoised));
    if (derivatives.size() > kOrder) derivatives.pop_back();
    for (size_t j = 0; j < derivatives.size(); ++j)
      x = x + linear_multistep_coeff(levels, derivatives.size(), i, j) * derivatives[j];
    if (!input.observer(static_cast<int>(i) + 1, denoised)) return denoised;
  }
  return x;
}

}  // namespace kandinsky::samplers
