#include "io/images/image.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"

namespace kandinsky::io {
namespace {

/// colour at this alpha on white, rounded to nearest.
std::uint8_t on_white(unsigned colour, unsigned alpha) {
  return static_cast<std::uint8_t>((colour * alpha + 255U * (255U - alpha) + 127U) / 255U);
}

}  // namespace

void check_image_size(std::int64_t width, std::int64_t height, std::string_view name) {
  if (width <= limits::kMaxImageSide && height <= limits::kMaxImageSide &&
      width * height <= limits::kMaxImagePixels) {
    return;
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{}: {} x {} pixels are too many, at most {} a side and {} in all", name,
                          width, height, limits::kMaxImageSide, limits::kMaxImagePixels));
}

void check_image_shape(std::int64_t width, std::int64_t height, std::int64_t channels,
                       std::string_view name) {
  if (width <= 0 || height <= 0 || (channels != 1 && channels != 3 && channels != 4)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: {} x {} pixels with {} channels, expected at least 1 x 1 with 1, "
                            "3 or 4 channels",
                            name, width, height, channels));
  }
  check_image_size(width, height, name);
}

void check_image(const Image& image, std::string_view name) {
  check_image_shape(image.width, image.height, image.channels, name);
  const std::int64_t expected = std::int64_t{image.width} * image.height * image.channels;
  if (image.pixels.size() != static_cast<std::size_t>(expected)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: an image of {} x {} pixels with {} channels has {} values, "
                            "expected {}",
                            name, image.width, image.height, image.channels, image.pixels.size(),
                            expected));
  }
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image rgb{image.width, image.height, 3, {}};
  const auto channels = static_cast<std::size_t>(image.channels);
  rgb.pixels.resize(image.pixels.size() / channels * 3);
  const std::uint8_t* from = image.pixels.data();
  const std::uint8_t* const end = from + image.pixels.size();
  for (std::uint8_t* to = rgb.pixels.data(); from != end; from += channels, to += 3) {
    for (std::size_t c = 0; c < 3; ++c) {
      to[c] = channels == 1 ? from[0] : on_white(from[c], from[3]);
    }
  }
  return rgb;
}

}  // namespace kandinsky::io
