#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/quantile.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "samplers/algorithms.h"
#include "samplers/ddpm_config.h"
#include "samplers/sigma_space.h"
#include "samplers/start.h"

namespace kandinsky::samplers {
namespace {

/// So that it has a logarithm: levels may be close together.
constexpr float kMinVariance = 1e-20F;

/// Clips clean latents [B, C, h, w], each image separately.
at::Tensor bounded(const DdpmConfig& config, const at::Tensor& sample) {
  if (config.dynamic_thresholding_ratio > 0.0) {
    const at::Tensor sizes = sample.abs().flatten(1);
    const at::Tensor s = at::quantile(sizes, config.dynamic_thresholding_ratio, 1)
                             .clamp(1.0, config.sample_max_value)
                             .view({-1, 1, 1, 1});
    return at::minimum(at::maximum(sample, -s), s) / s;
  }
  if (config.clip_sample_range > 0.0)
    return at::clamp(sample, -config.clip_sample_range, config.clip_sample_range);
  return sample;
}

/// The noise scale of a step: a number, or a tensor if the network predicts it.
at::Tensor deviation(const DdpmConfig& config, const Prediction& prediction, float small_variance,
                     float large_variance) {
  if (config.variance == DdpmConfig::Variance::kLearnedRange &&
      prediction.predicted_variance.defined()) {
    const float min_log = std::log(small_variance);
    const float max_log = std::log(std::max(large_variance, kMinVariance));
    const at::Tensor frac = (prediction.predicted_variance + 1.0) / 2.0;
    return ((frac * max_log + (1.0 - frac) * min_log) * 0.5).exp();
  }
  const bool is_large = config.variance == DdpmConfig::Variance::kFixedLarge;
  return at::scalar_tensor(std::sqrt(is_large ? large_variance : small_variance));
}

}  // namespace

Levels ddpm_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t limit = schedule.num_train_timesteps() - schedule.ddpm.steps_offset;
  if (num_inference_steps < 1 || num_inference_steps > limit) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("steps is {}; DDPM takes 1 to {} steps", num_inference_steps, limit));
  }
  const int64_t stride = schedule.num_train_timesteps() / num_inference_steps;
  Levels levels;
  for (int64_t i = num_inference_steps - 1; i >= 0; --i)
    levels.push_back(level_at_timestep(schedule, i * stride + schedule.ddpm.steps_offset));
  levels.emplace_back();
  return levels;
}

/// Denoising diffusion probabilistic models (Ho et al. 2020) with the variance that the network
/// predicts (Nichol and Dhariwal 2021) and dynamic thresholding (Saharia et al. 2022), as
/// configured by NoiseSchedule::ddpm. Source: diffusers, DDPMScheduler.step.
at::Tensor sample_ddpm(const SamplerInput& input, const Levels& levels) {
  const DdpmConfig& config = input.schedule.ddpm;
  at::Tensor x = start_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const bool is_last = i + 2 == levels.size();
    // In fp32, since the reference's rounding is visible.
    const auto alpha_prod_t = static_cast<float>(levels[i].alpha_prod);
    const auto alpha_prod_t_prev = static_cast<float>(levels[i + 1].alpha_prod);
    const float beta_prod_t = 1.0F - alpha_prod_t;
    const float beta_prod_t_prev = 1.0F - alpha_prod_t_prev;
    const float current_alpha_t = alpha_prod_t / alpha_prod_t_prev;
    const float current_beta_t = 1.0F - current_alpha_t;

    const Prediction prediction = input.denoiser(x, levels[i].timestep);
    const at::Tensor pred_original_sample = bounded(
        config, (x - std::sqrt(beta_prod_t) * prediction.noise_pred) / std::sqrt(alpha_prod_t));
    // Formula (7) of "Denoising Diffusion Probabilistic Models".
    const float pred_original_sample_coeff =
        std::sqrt(alpha_prod_t_prev) * current_beta_t / beta_prod_t;
    const float current_sample_coeff = std::sqrt(current_alpha_t) * beta_prod_t_prev / beta_prod_t;
    x = pred_original_sample_coeff * pred_original_sample + current_sample_coeff * x;
    if (!is_last) {
      const float small_variance =
          std::max(beta_prod_t_prev / beta_prod_t * current_beta_t, kMinVariance);
      x = x + deviation(config, prediction, small_variance, current_beta_t) * draw_like(input, x);
    }
    if (!input.observer(static_cast<int>(i) + 1, pred_original_sample)) return pred_original_sample;
  }
  return x;
}

}  // namespace kandinsky::samplers
