#include "samplers/unclip.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace kandinsky::samplers {
namespace {

constexpr double kMaxBeta = 0.999;
constexpr int64_t kMaxTrainTimesteps = 100'000;

double alpha_bar(double time) {
  const double cosine = std::cos((time + 0.008) / 1.008 * std::numbers::pi / 2);
  return cosine * cosine;
}

}  // namespace

UnclipSchedule UnclipSchedule::from_json(const io::JsonConfig& json) {
  const auto require = [&json](std::string_view key, std::string_view expected) {
    const std::string_view value = json.get_string_view(key, expected);
    if (value == expected) return;
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: \"{}\" is {}, but only {} is supported",
                                                     json.source(), key, value, expected));
  };
  require("prediction_type", "sample");
  require("variance_type", "fixed_small_log");
  require("beta_schedule", "squaredcos_cap_v2");
  const int64_t steps = json.get_int("num_train_timesteps", 1000);
  if (steps < 2 || steps > kMaxTrainTimesteps) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: \"num_train_timesteps\" is {}", json.source(), steps));
  }
  UnclipSchedule schedule;
  const double range =
      json.get_bool("clip_sample", true) ? json.get_double("clip_sample_range", 1.0) : INFINITY;
  if (range <= 0.0 || (range > FLT_MAX && !std::isinf(range))) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: \"clip_sample_range\" is {}, expected a "
                                                     "positive number of 32 bits",
                                                     json.source(), range));
  }
  schedule.clip_sample_range = static_cast<float>(range);
  for (int64_t i = 0; i < steps; ++i) {
    const double begin = static_cast<double>(i) / static_cast<double>(steps);
    const double end = static_cast<double>(i + 1) / static_cast<double>(steps);
    // The reference's tables are fp32, and 1 - alphas_cumprod loses digits that show in its
    // results.
    schedule.betas.push_back(
        static_cast<float>(std::min(1 - alpha_bar(end) / alpha_bar(begin), kMaxBeta)));
  }
  const at::Tensor betas = at::from_blob(schedule.betas.data(), {steps}, at::kFloat);
  const at::Tensor products = (1.0 - betas).cumprod(0).contiguous();
  schedule.alphas_cumprod.assign(products.const_data_ptr<float>(),
                                 products.const_data_ptr<float>() + steps);
  return schedule;
}

std::vector<int64_t> unclip_timesteps(const UnclipSchedule& schedule, int num_inference_steps) {
  const auto limit = static_cast<int64_t>(schedule.betas.size());
  if (num_inference_steps < 2 || num_inference_steps > limit) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("prior steps is {}; the prior takes 2 to {} steps", num_inference_steps,
                            limit));
  }
  const double ratio = static_cast<double>(limit - 1) / (num_inference_steps - 1);
  std::vector<int64_t> timesteps;
  for (int64_t i = num_inference_steps - 1; i >= 0; --i) {
    timesteps.push_back(static_cast<int64_t>(std::nearbyint(static_cast<double>(i) * ratio)));
  }
  return timesteps;
}

at::Tensor sample_unclip(const UnclipSchedule& schedule, const UnclipStart& start,
                         const NoiseDraw& draw, const CleanPredictor& predictor,
                         const StepObserver& observer) {
  std::vector<int64_t> timesteps = unclip_timesteps(schedule, start.num_inference_steps);
  timesteps.erase(timesteps.begin(), timesteps.begin() + start.skipped_steps);
  at::Tensor x = draw();
  if (start.init_latents.defined()) {
    const float alpha_prod = schedule.alphas_cumprod[static_cast<size_t>(timesteps.front())];
    x = std::sqrt(alpha_prod) * start.init_latents + std::sqrt(1.0F - alpha_prod) * x;
  }
  for (size_t i = 0; i < timesteps.size(); ++i) {
    const auto t = static_cast<size_t>(timesteps[i]);
    const bool is_last = i + 1 == timesteps.size();
    const int64_t prev = is_last ? timesteps[i] - 1 : timesteps[i + 1];
    const float alpha_prod_t = schedule.alphas_cumprod[t];
    const float alpha_prod_t_prev =
        prev >= 0 ? schedule.alphas_cumprod[static_cast<size_t>(prev)] : 1.0F;
    const float beta_prod_t = 1.0F - alpha_prod_t;
    const float beta_prod_t_prev = 1.0F - alpha_prod_t_prev;
    const bool is_neighbour = prev == timesteps[i] - 1;
    const float beta = is_neighbour ? schedule.betas[t] : 1.0F - alpha_prod_t / alpha_prod_t_prev;
    const float alpha = 1.0F - beta;

    const at::Tensor pred_original_sample =
        at::clamp(predictor(x, static_cast<double>(timesteps[i])), -schedule.clip_sample_range,
                  schedule.clip_sample_range);
    // Formula (7) of "Denoising Diffusion Probabilistic Models".
    const float pred_original_sample_coeff = std::sqrt(alpha_prod_t_prev) * beta / beta_prod_t;
    const float current_sample_coeff = std::sqrt(alpha) * beta_prod_t_prev / beta_prod_t;
    x = pred_original_sample_coeff * pred_original_sample + current_sample_coeff * x;
    if (!is_last) {
      const float variance = std::max(beta_prod_t_prev / beta_prod_t * beta, 1e-20F);
      x = x + std::exp(0.5F * std::log(variance)) * draw();
    }
    if (!observer(static_cast<int>(i) + 1, pred_original_sample)) return pred_original_sample;
  }
  return x;
}

}  // namespace kandinsky::samplers
