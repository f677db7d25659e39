#include "images/fill.h"

#include "unit/images/support.h"

namespace kandinsky::images {
namespace {

constexpr int kWidth = 61;
constexpr int kHeight = 40;

std::size_t at(int x, int y) { return static_cast<std::size_t>(y * kWidth + x); }

/// White in the middle, 41 x 20 pixels.
Image hole() {
  Image mask = flat(kWidth, kHeight, {0});
  for (int y = 10; y < 30; ++y) {
    for (int x = 10; x < 51; ++x) mask.pixels[at(x, y)] = 255;
  }
  return mask;
}

TEST(FillMasked, OneColourAroundFillsTheHole) {
  const Bytes colour = {200, 40, 90};
  Image image = flat(kWidth, kHeight, colour);
  const Image mask = hole();
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    if (mask.pixels[i] == 255) image.pixels[i * 3] = 0;
  }
  expect_same(fill_masked(image, mask), flat(kWidth, kHeight, colour));
}

TEST(FillMasked, WhatIsKeptIsUntouchedAndTheHoleForgetsItsContent) {
  const Image image = gradient(kWidth, kHeight, 3);
  const Image mask = hole();
  const Image filled = fill_masked(image, mask);
  Image other = image;
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      if (mask.pixels[i] == 0) {
        EXPECT_EQ(filled.pixels[i * 3 + c], image.pixels[i * 3 + c]);
      } else {
        other.pixels[i * 3 + c] = 255;
      }
    }
  }
  expect_same(fill_masked(other, mask), filled);
}

TEST(FillMasked, ColoursComeFromTheNearerSide) {
  Image image = flat(kWidth, kHeight, {0, 0, 255});
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth / 2; ++x) {
      image.pixels[at(x, y) * 3] = 255;
      image.pixels[at(x, y) * 3 + 2] = 0;
    }
  }
  const Image filled = fill_masked(image, hole());
  const auto red = [&](int x) { return filled.pixels[at(x, 20) * 3]; };
  EXPECT_GT(red(11), 200);
  EXPECT_LT(red(49), 55);
  // Smooth in between.
  for (int x = 11; x < 50; ++x) {
    EXPECT_LE(red(x), red(x - 1) + 1) << x;
    EXPECT_LT(red(x - 1) - red(x), 40) << x;
  }
}

TEST(FillMasked, ASoftMaskMixes) {
  Image image = flat(3, 1, {100, 100, 100});
  image.pixels[3] = image.pixels[4] = image.pixels[5] = 200;
  const Image filled = fill_masked(image, {3, 1, 1, {0, 51, 0}});
  EXPECT_EQ(filled.pixels[0], 100);
  EXPECT_LT(filled.pixels[3], 200);
  EXPECT_GT(filled.pixels[3], 170);
}

TEST(FillMasked, WithoutAnythingKeptItIsMidGrey) {
  expect_same(fill_masked(gradient(5, 9, 3), flat(5, 9, {255})), flat(5, 9, {128, 128, 128}));
  expect_same(fill_masked(flat(1, 1, {9, 9, 9}), flat(1, 1, {255})), flat(1, 1, {128, 128, 128}));
}

TEST(FillMasked, TakesThinImages) {
  expect_same(fill_masked(gradient(1, 9000, 3), flat(1, 9000, {0})), gradient(1, 9000, 3));
}

TEST(FillMasked, TallImagesAreFilledAsWideOnes) {
  // Rows are worked on in bands; a border between two of them would show.
  const int side = 700;
  Image tall = flat(32, side, {0, 0, 0});
  Image mask = flat(32, side, {0});
  Image wide = flat(side, 32, {0, 0, 0});
  Image wide_mask = flat(side, 32, {0});
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < 32; ++x) {
      const auto hidden = static_cast<std::uint8_t>(x > 5 && x < 27 && y > 20 && y < 680 ? 255 : 0);
      mask.pixels[y * 32 + x] = wide_mask.pixels[x * side + y] = hidden;
      for (std::size_t c = 0; c < 3; ++c) {
        const auto value = static_cast<std::uint8_t>(y * (c + 1) / 6);
        tall.pixels[(y * 32 + x) * 3 + c] = wide.pixels[(x * side + y) * 3 + c] = value;
      }
    }
  }
  const Image filled = fill_masked(tall, mask);
  const Image filled_wide = fill_masked(wide, wide_mask);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < 32; ++x) {
      ASSERT_NEAR(filled.pixels[(y * 32 + x) * 3], filled_wide.pixels[(x * side + y) * 3], 1)
          << x << " " << y;
    }
  }
}

}  // namespace
}  // namespace kandinsky::images
