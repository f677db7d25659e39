#include "samplers/ddim.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace kandinsky::samplers {

void check_ddim_steps(const NoiseSchedule& schedule, int num_inference_steps) {
  const int64_t limit = schedule.num_train_timesteps() - schedule.steps_offset;
  if (num_inference_steps >= 1 && num_inference_steps <= limit) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("steps is {}; DDIM takes 1 to {} steps", num_inference_steps, limit));
}

std::vector<int64_t> ddim_timesteps(const NoiseSchedule& schedule, int num_inference_steps) {
  check_ddim_steps(schedule, num_inference_steps);
  const int64_t stride = schedule.num_train_timesteps() / num_inference_steps;
  std::vector<int64_t> timesteps;
  for (int64_t i = num_inference_steps - 1; i >= 0; --i)
    timesteps.push_back(i * stride + schedule.steps_offset);
  return timesteps;
}

at::Tensor sample_ddim(const SamplerInput& input) {
  const std::vector<float>& alphas_cumprod = input.schedule.alphas_cumprod;
  const int64_t stride = input.schedule.num_train_timesteps() / input.num_inference_steps;
  at::Tensor x = input.noise;
  int step = 0;
  for (const int64_t timestep : ddim_timesteps(input.schedule, input.num_inference_steps)) {
    const int64_t prev_timestep = timestep - stride;
    const float alpha_prod_t = alphas_cumprod.at(static_cast<size_t>(timestep));
    const float alpha_prod_t_prev = prev_timestep >= 0
                                        ? alphas_cumprod[static_cast<size_t>(prev_timestep)]
                                        : input.schedule.final_alpha_cumprod;

    const at::Tensor noise_pred = input.denoiser(x, static_cast<double>(timestep)).noise_pred;
    // Formula (12) of the paper with sigma 0.
    const at::Tensor pred_original_sample =
        (x - std::sqrt(1.0F - alpha_prod_t) * noise_pred) / std::sqrt(alpha_prod_t);
    const at::Tensor pred_sample_direction = std::sqrt(1.0F - alpha_prod_t_prev) * noise_pred;
    x = std::sqrt(alpha_prod_t_prev) * pred_original_sample + pred_sample_direction;
    if (!input.observer(++step, pred_original_sample)) return pred_original_sample;
  }
  return x;
}

}  // namespace kandinsky::samplers
