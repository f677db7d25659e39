#include "samplers/noise_schedule.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "io/json_config.h"
#include "samplers/ddpm_config.h"

namespace kandinsky::samplers {
namespace {

constexpr int64_t kMaxTrainTimesteps = 100'000;

double sigma_of(double alpha_cumprod) { return std::sqrt((1.0 - alpha_cumprod) / alpha_cumprod); }

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
                            "steps_offset {} are not a valid noise schedule",
                            json.source(), beta_start, beta_end, steps, schedule.steps_offset));
  }
  const at::Tensor betas = at::linspace(beta_start, beta_end, steps, at::kFloat);
  const at::Tensor products = (1.0 - betas).cumprod(0).contiguous();
  const float* data = products.const_data_ptr<float>();
  schedule.alphas_cumprod.assign(data, data + steps);
  schedule.final_alpha_cumprod =
      json.get_bool("set_alpha_to_one", true) ? 1.0F : schedule.alphas_cumprod.front();
  const bool is_ddpm = json.get_string_view("_class_name", "") == "DDPMScheduler";
  if (json.get_bool("clip_sample", is_ddpm)) {
    schedule.clip_sample_range = json.get_double("clip_sample_range", 1.0);
    if (!(schedule.clip_sample_range > 0.0)) {
      throw Error(ErrorCode::kCorruptFile,
                  fmt::format("{}: \"clip_sample_range\" is {}, expected more than 0",
                              json.source(), schedule.clip_sample_range));
    }
  }
  if (is_ddpm) {
    schedule.own_sampler = "DDPM";
    schedule.ddpm = DdpmConfig::from_json(json);
  }
  return schedule;
}

double NoiseSchedule::sigma(double timestep) const {
  const double inside = std::clamp(timestep, 0.0, static_cast<double>(alphas_cumprod.size() - 1));
  const auto low = static_cast<size_t>(inside);
  const double low_sigma = sigma_of(alphas_cumprod[low]);
  const double weight = inside - static_cast<double>(low);
  if (weight == 0.0) return low_sigma;
  const double high_sigma = sigma_of(alphas_cumprod[low + 1]);
  return std::exp((1.0 - weight) * std::log(low_sigma) + weight * std::log(high_sigma));
}

double NoiseSchedule::timestep(double sigma) const {
  // The first timestep that has more noise; alphas_cumprod falls.
  const auto more = std::partition_point(alphas_cumprod.begin(), alphas_cumprod.end(),
                                         [sigma](float alpha) { return sigma_of(alpha) <= sigma; });
  const auto high = more - alphas_cumprod.begin();
  if (high == 0) return 0.0;
  if (more == alphas_cumprod.end()) return static_cast<double>(high - 1);
  const double low_log = std::log(sigma_of(*(more - 1)));
  const double high_log = std::log(sigma_of(*more));
  return static_cast<double>(high - 1) + (std::log(sigma) - low_log) / (high_log - low_log);
}

double NoiseSchedule::alpha_cumprod_at(double timestep) const {
  const double sigma_at = sigma(timestep);
  return 1.0 / (1.0 + sigma_at * sigma_at);
}

}  // namespace kandinsky::samplers
