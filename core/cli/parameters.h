#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kandinsky::cli {

/// What made one picture.
struct PictureParameters {
  std::string prompt;
  std::optional<std::string> negative_prompt;  ///< nothing: absent, which is not the same as ""
  std::int32_t steps = 0;
  std::string sampler;
  double cfg_scale = 0;
  std::uint64_t seed = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::string model;  ///< name of the model's folder
  std::int32_t prior_steps = 0;
  double prior_cfg_scale = 0;
  std::string precision;
};

/// The text that Automatic1111-style hosts keep under "parameters" in a PNG and paste back: the
/// prompt, a line with the negative prompt, a line of settings.
std::string parameters_text(const PictureParameters& parameters);

/// `text` in quotes, escaped as JSON wants it.
std::string json_string(std::string_view text);

}  // namespace kandinsky::cli
