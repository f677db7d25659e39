#pragma once

#include <cstdint>
#include <vector>

namespace kandinsky::io {

/// 8-bit pixels that the object owns: rows from the top, [height, width, channels], channels in the
/// order grey, RGB or RGBA (alpha not premultiplied), no padding.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;  ///< 1, 3 or 4
  std::vector<std::uint8_t> pixels;
};

}  // namespace kandinsky::io
