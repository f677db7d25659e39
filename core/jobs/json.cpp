#include "jobs/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/json_caps.h"
#include "jobs/limits.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

void check_json(std::string_view text) {
  const auto refuse = [](std::string_view what, std::size_t most) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      fmt::format("the JSON's {} are too many, at most {}", what, most));
  };
  check_json_caps(text, kMaxRequestValues, kMaxRequestDepth, refuse);
}

std::optional<nlohmann::json> parse_scalar(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  // A list would be parsed into memory, many times as large, before its type is known.
  if (text.substr(begin).starts_with('[') || text.substr(begin).starts_with('{')) return {};
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return {};
  return value;
}

}  // namespace kandinsky::jobs
