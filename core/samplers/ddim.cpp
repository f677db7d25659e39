#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "samplers/algorithms.h"
#include "samplers/start.h"

namespace kandinsky::samplers {

Levels ddim_levels(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t limit = schedule.num_train_timesteps() - schedule.steps_offset;
  if (num_inference_steps < 1 || num_inference_steps > limit) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("steps is {}; DDIM takes 1 to {} steps, more with another scheduler "
                            "than Automatic",
                            num_inference_steps, limit));
  }
  const int64_t stride = schedule.num_train_timesteps() / num_inference_steps;
  Levels levels;
  for (int64_t i = num_inference_steps - 1; i >= 0; --i)
    levels.push_back(level_at_timestep(schedule, i * stride + schedule.steps_offset));
  if (schedule.steps_offset >= stride) {
    levels.push_back(level_at_timestep(schedule, schedule.steps_offset - stride));
  } else {
    const double alpha_prod = schedule.final_alpha_cumprod;
    levels.push_back({.timestep = 0.0,
                      .sigma = std::sqrt((1.0 - alpha_prod) / alpha_prod),
                      .alpha_prod = alpha_prod});
  }
  return levels;
}

/// Denoising diffusion implicit models (Song et al. 2020), deterministic (eta 0). Source:
/// diffusers, DDIMScheduler.step.
at::Tensor sample_ddim(const SamplerInput& input, const Levels& levels) {
  const double clip = input.schedule.clip_sample_range;
  at::Tensor x = start_latents(input, levels.front());
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    // In fp32, since the reference's rounding is visible.
    const auto alpha_prod_t = static_cast<float>(levels[i].alpha_prod);
    const auto alpha_prod_t_prev = static_cast<float>(levels[i + 1].alpha_prod);

    const at::Tensor noise_pred = input.denoiser(x, levels[i].timestep).noise_pred;
    // Formula (12) of the paper with sigma 0.
    at::Tensor pred_original_sample =
        (x - std::sqrt(1.0F - alpha_prod_t) * noise_pred) / std::sqrt(alpha_prod_t);
    if (clip > 0.0) pred_original_sample = at::clamp(pred_original_sample, -clip, clip);
    const at::Tensor pred_sample_direction = std::sqrt(1.0F - alpha_prod_t_prev) * noise_pred;
    x = std::sqrt(alpha_prod_t_prev) * pred_original_sample + pred_sample_direction;
    if (!input.observer(static_cast<int>(i) + 1, pred_original_sample)) return pred_original_sample;
  }
  return x;
}

}  // namespace kandinsky::samplers
