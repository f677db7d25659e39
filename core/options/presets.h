/// Presets: named sets of values for options that the caller does not set.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "base/span.h"

namespace kandinsky::options {

struct Setting {
  const char* option;
  std::variant<bool, int, double, const char*> value;
};

struct Preset {
  const char* name;
  std::vector<Setting> settings;
};

/// The rows of presets.def; the first changes nothing.
Span<const Preset> presets();

/// The preset of exactly this name, which must exist.
const Preset& find_preset(std::string_view name);

}  // namespace kandinsky::options
