#include "io/bicubic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace kandinsky::io {
namespace {

using Bytes = std::vector<std::uint8_t>;

Image picture(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int i = 0; i < width * height * channels; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  }
  return image;
}

Image whole(const Image& image, int width, int height) {
  return resize_bicubic(image, width, height,
                        {.left = 0, .top = 0, .width = width, .height = height});
}

TEST(ResizeBicubic, HasThePixelsOfPillow) {
  EXPECT_EQ(whole({2, 1, 1, {0, 255}}, 5, 1).pixels, (Bytes{0, 17, 128, 238, 255}));
  const Image seven{7, 1, 1, {0, 10, 200, 30, 255, 90, 7}};
  EXPECT_EQ(whole(seven, 3, 1).pixels, (Bytes{39, 142, 90}));
  const Image upright{1, 7, 1, seven.pixels};
  EXPECT_EQ(whole(upright, 2, 3).pixels, (Bytes{39, 39, 142, 142, 90, 90}));
}

TEST(ResizeBicubic, TheSameSizeIsTheSamePicture) {
  for (const int channels : {1, 3, 4}) {
    const Image image = picture(13, 9, channels);
    EXPECT_EQ(whole(image, 13, 9).pixels, image.pixels);
  }
}

TEST(ResizeBicubic, OneColourStaysIt) {
  const Image image{31, 5, 3, Bytes(31 * 5 * 3, 201)};
  for (const auto& [width, height] : {std::pair{7, 3}, std::pair{100, 80}, std::pair{1, 1}}) {
    const Image result = whole(image, width, height);
    EXPECT_EQ(result.pixels, Bytes(static_cast<std::size_t>(width) * height * 3, 201));
  }
}

TEST(ResizeBicubic, AWindowIsAPartOfTheWhole) {
  const Image image = picture(40, 23, 3);
  for (const auto& [width, height] : {std::pair{17, 11}, std::pair{90, 57}}) {
    const Image all = whole(image, width, height);
    const Window window{.left = 5, .top = 3, .width = 9, .height = 6};
    const Image part = resize_bicubic(image, width, height, window);
    ASSERT_EQ(part.width, 9);
    ASSERT_EQ(part.height, 6);
    for (int y = 0; y < window.height; ++y) {
      const auto row = all.pixels.begin() + ((y + window.top) * width + window.left) * 3;
      EXPECT_TRUE(
          std::equal(row, row + window.width * 3, part.pixels.begin() + y * window.width * 3));
    }
  }
}

TEST(ResizeBicubic, ThinPicturesOfAnyScaleCostWhatTheWindowNeeds) {
  const auto start = std::chrono::steady_clock::now();
  for (const auto& [width, height] : {std::pair{1, 65535}, std::pair{65535, 1}}) {
    // The whole would have 224 * 14,679,840 pixels.
    const std::int64_t scale = 224;
    const Image result = resize_bicubic(picture(width, height, 3), width * scale, height * scale,
                                        {.left = width == 1 ? 0 : 7'000'000,
                                         .top = height == 1 ? 0 : 7'000'000,
                                         .width = 224,
                                         .height = 224});
    EXPECT_EQ(result.pixels.size(), 224U * 224 * 3);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace kandinsky::io
