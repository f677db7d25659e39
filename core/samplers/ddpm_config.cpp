#include "samplers/ddpm_config.h"

#include <fmt/format.h>

#include <string_view>

#include "base/error.h"
#include "io/json_config.h"

namespace kandinsky::samplers {
namespace {

DdpmConfig::Variance read_variance(const io::JsonConfig& json) {
  const std::string_view name = json.get_string_view("variance_type", "fixed_small");
  if (name == "learned_range") return DdpmConfig::Variance::kLearnedRange;
  if (name == "fixed_small" || name == "fixed_small_log") return DdpmConfig::Variance::kFixedSmall;
  if (name == "fixed_large") return DdpmConfig::Variance::kFixedLarge;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("{}: \"variance_type\" is {}, but only learned_range, fixed_small and "
                          "fixed_large are supported",
                          json.source(), name));
}

}  // namespace

DdpmConfig DdpmConfig::from_json(const io::JsonConfig& json) {
  const auto require = [&json](std::string_view key, std::string_view expected) {
    const std::string_view value = json.get_string_view(key, expected);
    if (value == expected) return;
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: \"{}\" is {}, but only {} is supported",
                                                     json.source(), key, value, expected));
  };
  require("prediction_type", "epsilon");
  require("timestep_spacing", "leading");

  DdpmConfig config;
  config.variance = read_variance(json);
  // The reference's original code clips clean latents to 2, which a
  // "sample_max_value" of null, as in some configs, would disable.
  config.sample_max_value = json.get_double("sample_max_value", 2.0);
  config.dynamic_thresholding_ratio = json.get_bool("thresholding", false)
                                          ? json.get_double("dynamic_thresholding_ratio", 0.995)
                                          : 0.0;
  config.clip_sample_range =
      json.get_bool("clip_sample", true) ? json.get_double("clip_sample_range", 1.0) : 0.0;
  config.steps_offset = json.get_int("steps_offset", 0);
  if (!(config.dynamic_thresholding_ratio >= 0.0 && config.dynamic_thresholding_ratio <= 1.0) ||
      config.sample_max_value < 1.0 || config.clip_sample_range < 0.0 || config.steps_offset < 0) {
    throw Error(
        ErrorCode::kCorruptFile,
        fmt::format("{}: dynamic_thresholding_ratio {}, sample_max_value {}, "
                    "clip_sample_range {} and steps_offset {} are invalid",
                    json.source(), config.dynamic_thresholding_ratio, config.sample_max_value,
                    config.clip_sample_range, config.steps_offset));
  }
  return config;
}

}  // namespace kandinsky::samplers
