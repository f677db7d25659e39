#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/span.h"

namespace kandinsky::io {

/// The first picture of an animated WebP file.
struct WebpFrame {
  std::vector<std::byte> file;  ///< a WebP file of its own
  int x = 0;                    ///< its place on the canvas, in pixels from the top left
  int y = 0;
};

/// Nothing for a file that is not animated. file is empty where the animation has no whole frame.
/// Source: WebP Container Specification, "Animation".
std::optional<WebpFrame> first_webp_frame(Span<const std::byte> bytes);

}  // namespace kandinsky::io
