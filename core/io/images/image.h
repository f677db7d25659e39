#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kandinsky::io {

/// Owned 8-bit pixels: rows from the top, [height, width, channels], channels in the
/// order grey, RGB or RGBA (alpha not premultiplied), no padding.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;  ///< 1, 3 or 4
  std::vector<std::uint8_t> pixels;

  bool operator==(const Image&) const = default;
};

/// Throws Error(kInvalidArgument) for a longer side than limits::kMaxImageSide and for more than
/// limits::kMaxImagePixels in total. name: the image's name in the message.
void check_image_size(std::int64_t width, std::int64_t height, std::string_view name);

/// The same, and for sides below 1 and other channel counts.
void check_image_shape(std::int64_t width, std::int64_t height, std::int64_t channels,
                       std::string_view name);

/// The same, and for pixels that do not match the shape.
void check_image(const Image& image, std::string_view name);

/// The image as RGB: grey repeated, RGBA blended on white.
Image to_rgb(const Image& image);

}  // namespace kandinsky::io
