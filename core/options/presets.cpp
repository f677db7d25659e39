#include "options/presets.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace kandinsky::options {

Span<const Preset> presets() {
  static const std::vector<Preset> all{
#define PRESET(name, ...) Preset{name, {__VA_ARGS__}},
#include "options/presets.def"
  };
  return all;
}

const Preset& find_preset(std::string_view name) {
  const Span<const Preset> all = presets();
  const auto found =
      std::ranges::find_if(all, [&](const Preset& preset) { return name == preset.name; });
  TORCH_INTERNAL_ASSERT(found != all.end());
  return *found;
}

}  // namespace kandinsky::options
