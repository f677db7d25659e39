/// Images made for a test, and their comparison.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "io/images/image.h"

namespace kandinsky::io {

using Bytes = std::vector<std::uint8_t>;

/// Every value depends on its place, so that swapped axes or channels show.
inline Image gradient(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.pixels.push_back(static_cast<std::uint8_t>(7 * x + 31 * y + 80 * c));
      }
    }
  }
  return image;
}

inline Image flat(int width, int height, const Bytes& colour) {
  Image image{width, height, static_cast<int>(colour.size()), {}};
  for (int i = 0; i < width * height; ++i) {
    for (const std::uint8_t value : colour) image.pixels.push_back(value);
  }
  return image;
}

inline void expect_same(const Image& actual, const Image& expected) {
  EXPECT_EQ(actual.width, expected.width);
  EXPECT_EQ(actual.height, expected.height);
  EXPECT_EQ(actual.channels, expected.channels);
  EXPECT_EQ(actual.pixels, expected.pixels);
}

}  // namespace kandinsky::io
