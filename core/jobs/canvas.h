#pragma once

#include <cstdint>
#include <optional>

#include "kandinsky.hpp"

namespace kandinsky::jobs {

struct Size {
  std::int32_t width = 0;
  std::int32_t height = 0;
  bool operator==(const Size& other) const {
    return width == other.width && height == other.height;
  }
};

/// The size to generate: the given one; else, from a text, the model's native size; else, from
/// an image, the image's size, scaled down to at most four native areas; if one side is given, the
/// other keeps the aspect ratio. `multiple`: sides that are not given are rounded to multiples of
/// it. source: the start image, or null.
Size choose_size(std::optional<std::int32_t> width, std::optional<std::int32_t> height,
                 const Image* source, std::int32_t native_size, std::int32_t multiple);

}  // namespace kandinsky::jobs
