/// What the tests of image arithmetic share.
#pragma once

#include <cstdint>

#include "unit/io/images/test_images.h"

namespace kandinsky::images {

using io::Bytes;
using io::expect_same;
using io::flat;
using io::gradient;
using io::Image;

/// Bytes without any order, but for a period of 251.
inline Image scattered(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int i = 0; i < width * height * channels; ++i)
    image.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  return image;
}

/// Adler-32 of the pixels, by which an image that Pillow has made is known here.
inline std::uint32_t checksum(const Image& image) {
  std::uint32_t low = 1;
  std::uint32_t high = 0;
  for (const std::uint8_t value : image.pixels) {
    low = (low + value) % 65'521U;
    high = (high + low) % 65'521U;
  }
  return high << 16U | low;
}

}  // namespace kandinsky::images
