#include "images/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "images/filters.h"
#include "io/images/image.h"

namespace kandinsky::images {
namespace {

/// The resizing of one side to `scaled` pixels, of which `cut` are cropped at the beginning, or
/// with `added` before them; the rest is cropped or added at the end.
struct Side {
  std::int64_t scaled = 0;
  int cut = 0;
  int added = 0;
};

/// The side at the other one's scale, rounded down as in hosts.
Side centred(int from, int to, int other_from, int other_to) {
  const std::int64_t scaled = std::max(std::int64_t{1}, std::int64_t{from} * other_to / other_from);
  const auto before = static_cast<int>(to / 2 - scaled / 2);
  return {.scaled = scaled, .cut = std::max(0, -before), .added = std::max(0, before)};
}

/// The image at width x height, with its border repeated around it.
Image bordered(const Image& image, int width, int height, int left, int top) {
  Image result{width, height, image.channels, {}};
  const auto pixel = static_cast<std::size_t>(image.channels);
  result.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * pixel);
  std::uint8_t* to = result.pixels.data();
  for (int y = 0; y < height; ++y) {
    const auto row = static_cast<std::size_t>(std::clamp(y - top, 0, image.height - 1));
    for (int x = 0; x < width; ++x, to += pixel) {
      const auto column = static_cast<std::size_t>(std::clamp(x - left, 0, image.width - 1));
      const std::size_t place = row * static_cast<std::size_t>(image.width) + column;
      std::memcpy(to, image.pixels.data() + place * pixel, pixel);
    }
  }
  return result;
}

}  // namespace

Image resize_image(const Image& image, int width, int height, ResizeMode mode) {
  io::check_image(image, "image");
  if (width < 1 || height < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} x {} pixels to resize to, expected at least 1 x 1", width, height));
  }
  io::check_image_size(width, height, "size to resize to");
  if (image.width == width && image.height == height) return image;

  Side x{.scaled = width};
  Side y{.scaled = height};
  // Whether the image is flatter than the size.
  const bool is_flat = std::int64_t{image.width} * height > std::int64_t{width} * image.height;
  if (mode != ResizeMode::kStretch) {
    if (is_flat == (mode == ResizeMode::kCrop)) {
      x = centred(image.width, width, image.height, height);
    } else {
      y = centred(image.height, height, image.width, width);
    }
  }
  const auto part = [](int to, const Side& side) {
    return static_cast<int>(std::min<std::int64_t>(to, side.scaled - side.cut));
  };
  const Image scaled =
      resize(image, x.scaled, y.scaled,
             {.left = x.cut, .top = y.cut, .width = part(width, x), .height = part(height, y)},
             ResizeFilter::kLanczos);
  if (scaled.width == width && scaled.height == height) return scaled;
  return bordered(scaled, width, height, x.added, y.added);
}

}  // namespace kandinsky::images
