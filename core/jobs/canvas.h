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

/// The size to generate. What was asked for; else, from a text, the model's native size; else, from
/// an image, the image's own size, scaled down to an area of four native ones if it has more, and
/// one side that was asked for keeps the shape. `multiple`: sides that were not asked for are
/// rounded to multiples of it. source: the image to start from, or null.
Size choose_size(std::optional<std::int32_t> width, std::optional<std::int32_t> height,
                 const Image* source, std::int32_t native_size, std::int32_t multiple);

}  // namespace kandinsky::jobs
