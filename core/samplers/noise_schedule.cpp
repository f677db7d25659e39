#include "samplers/noise_schedule.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <fmt/format.h>

#include "base/error.h"

namespace kandinsky::samplers {
namespace {

constexpr int64_t kMaxTrainTimesteps = 100'000;

}  // namespace

NoiseSchedule NoiseSchedule::from_json(const io::JsonConfig& json) {
  const auto unsupported = [&json](std::string_view key, std::string_view value,
                                   std::string_view expected) {
    return Error(ErrorCode::kUnsupported, fmt::format("{}: \"{}\" is {}, but only {} is supported",
                                                      json.source(), key, value, expected));
  };
  const std::string_view beta_schedule = json.get_string_view("beta_schedule", "linear");
  if (beta_schedule != "linear") throw unsupported("beta_schedule", beta_schedule, "linear");
  const std::string_view prediction_type = json.get_string_view("prediction_type", "epsilon");
  if (prediction_type != "epsilon")
    throw unsupported("prediction_type", prediction_type, "epsilon");
  const std::string_view spacing = json.get_string_view("timestep_spacing", "leading");
  if (spacing != "leading") throw unsupported("timestep_spacing", spacing, "leading");
  if (json.has("trained_betas")) throw unsupported("trained_betas", "given", "null");
  if (json.get_bool("clip_sample", false)) throw unsupported("clip_sample", "true", "false");
  if (json.get_bool("thresholding", false)) throw unsupported("thresholding", "true", "false");

  const double beta_start = json.get_double("beta_start");
  const double beta_end = json.get_double("beta_end");
  const int64_t steps = json.get_int("num_train_timesteps", 1000);
  NoiseSchedule schedule;
  schedule.steps_offset = json.get_int("steps_offset", 0);
  if (!(beta_start > 0.0 && beta_start <= beta_end && beta_end < 1.0) || steps < 2 ||
      steps > kMaxTrainTimesteps || schedule.steps_offset < 0 || schedule.steps_offset >= steps) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: beta_start {}, beta_end {}, num_train_timesteps {} and "
                            "steps_offset {} make no noise schedule",
                            json.source(), beta_start, beta_end, steps, schedule.steps_offset));
  }
  const at::Tensor betas = at::linspace(beta_start, beta_end, steps, at::kFloat);
  const at::Tensor products = (1.0 - betas).cumprod(0).contiguous();
  const float* data = products.const_data_ptr<float>();
  schedule.alphas_cumprod.assign(data, data + steps);
  schedule.final_alpha_cumprod =
      json.get_bool("set_alpha_to_one", true) ? 1.0F : schedule.alphas_cumprod.front();
  return schedule;
}

}  // namespace kandinsky::samplers
