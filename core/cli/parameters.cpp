#include "cli/parameters.h"

#include <fmt/format.h>

#include <iterator>

#include "kandinsky.hpp"

namespace kandinsky::cli {
namespace {

/// Hosts split the settings at commas and colons, and quote values that have them.
std::string setting_value(const std::string& value) {
  return value.find_first_of(",:\n") == std::string::npos ? value : json_string(value);
}

std::string stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\b':
        quoted += "\\b";
        break;
      case '\f':
        quoted += "\\f";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          quoted += c;
        }
    }
  }
  return quoted + '"';
}

std::string parameters_text(const PictureParameters& parameters) {
  std::string text = parameters.prompt;
  if (parameters.negative_prompt) text += "\nNegative prompt: " + *parameters.negative_prompt;
  auto out = std::back_inserter(text);
  fmt::format_to(out, "\nSteps: {}", parameters.steps);
  fmt::format_to(out, ", Sampler: {}", setting_value(parameters.sampler));
  fmt::format_to(out, ", CFG scale: {}", parameters.cfg_scale);
  fmt::format_to(out, ", Seed: {}", parameters.seed);
  fmt::format_to(out, ", Size: {}x{}", parameters.width, parameters.height);
  fmt::format_to(out, ", Model: {}", setting_value(parameters.model));
  fmt::format_to(out, ", Kandinsky prior steps: {}", parameters.prior_steps);
  fmt::format_to(out, ", Kandinsky prior CFG scale: {}", parameters.prior_cfg_scale);
  fmt::format_to(out, ", Kandinsky precision: {}", setting_value(parameters.precision));
  fmt::format_to(out, ", Version: kandinsky {}", kandinsky_version());
  return stripped(text);
}

}  // namespace kandinsky::cli
