#include "images/mask.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "unit/images/support.h"
#include "unit/support.h"

namespace kandinsky::images {
namespace {

Image mask_of(const Image& image, bool invert = false) {
  return make_mask(image, image.width, image.height, ResizeMode::kStretch, invert);
}

/// A mask of one row per line; '#' is white.
Image drawn(const std::vector<std::string>& rows) {
  Image mask{static_cast<int>(rows[0].size()), static_cast<int>(rows.size()), 1, {}};
  for (const std::string& row : rows) {
    for (const char c : row) mask.pixels.push_back(c == '#' ? 255 : 0);
  }
  return mask;
}

/// A mask of latents as an image.
Image as_image(const at::Tensor& latents) {
  Image image{static_cast<int>(latents.size(3)), static_cast<int>(latents.size(2)), 1, {}};
  const at::Tensor flat = latents.flatten();
  for (std::int64_t i = 0; i < flat.numel(); ++i)
    image.pixels.push_back(static_cast<std::uint8_t>(flat[i].item<float>() * 255.0F));
  return image;
}

/// One of rows whose characters are cells of 8 x 8 pixels.
Image cells(const std::vector<std::string>& rows) {
  std::vector<std::string> pixels;
  for (const std::string& row : rows) {
    std::string line;
    for (const char c : row) line += std::string(8, c);
    pixels.insert(pixels.end(), 8, line);
  }
  return drawn(pixels);
}

TEST(Mask, IsWhiteFromHalfOn) {
  expect_same(mask_of({4, 1, 1, {0, 127, 128, 255}}), {4, 1, 1, {0, 0, 255, 255}});
  expect_same(mask_of({4, 1, 1, {0, 127, 128, 255}}, true), {4, 1, 1, {255, 255, 0, 0}});
  // Pillow's luma is rounded: 0.587 of 218 is 127.97, of 217 it is 127.4.
  expect_same(mask_of({2, 1, 3, {0, 217, 0, 0, 218, 0}}), {2, 1, 1, {0, 255}});
  // 0.299 red is dark, 0.587 green is light.
  expect_same(mask_of({2, 1, 3, {255, 0, 0, 0, 255, 0}}), {2, 1, 1, {0, 255}});
}

TEST(Mask, TransparentPlacesAreBlack) {
  const Image strokes{
      4, 1, 4, {255, 255, 255, 255, 255, 255, 255, 0, 255, 255, 255, 100, 0, 0, 0, 255}};
  expect_same(mask_of(strokes), {4, 1, 1, {255, 0, 0, 0}});
  expect_same(mask_of(strokes, true), {4, 1, 1, {0, 255, 255, 255}});
}

TEST(Mask, IsResizedAsItsImage) {
  Image mask = flat(16, 16, {0});
  for (std::size_t y = 4; y < 12; ++y) {
    for (std::size_t x = 4; x < 12; ++x) mask.pixels[y * 16 + x] = 255;
  }
  const Image grown = make_mask(mask, 160, 160, ResizeMode::kStretch, false);
  for (int y = 0; y < 160; ++y) {
    for (int x = 0; x < 160; ++x) {
      const bool inside = x >= 40 && x < 120 && y >= 40 && y < 120;
      const bool corner = (x < 45 || x >= 115) && (y < 45 || y >= 115);
      if (!corner) {
        EXPECT_EQ(grown.pixels[static_cast<std::size_t>(y * 160 + x)], inside ? 255 : 0)
            << x << " " << y;
      }
    }
  }
}

TEST(Mask, SoftBordersAreOutsideAndGaussian) {
  for (const int sigma : {1, 4, 20, 64}) {
    const int half = 4 * sigma;
    Image edge{2 * half, 3, 1, {}};
    for (int i = 0; i < 2 * half * 3; ++i) edge.pixels.push_back(i % (2 * half) < half ? 0 : 255);
    const Image soft = soften_mask(edge, sigma);
    // The kernel ends after 2.5 standard deviations.
    const int reach = static_cast<int>(2.5 * sigma + 0.5);
    const double whole = std::erf(2.5 / std::sqrt(2.0));
    for (int x = 0; x < 2 * half; ++x) {
      const int value = soft.pixels[static_cast<std::size_t>(2 * half + x)];
      if (x < half - reach) {
        EXPECT_EQ(value, 0) << sigma << " " << x;
      } else if (x >= half) {
        EXPECT_EQ(value, 255) << sigma << " " << x;
      } else {
        const double z = std::max((x + 0.5 - half) / sigma, -2.5);
        const double expected = 255.0 * (1.0 + std::erf(z / std::sqrt(2.0)) / whole);
        EXPECT_NEAR(value, expected, sigma == 1 ? 12.0 : 3.0) << sigma << " " << x;
      }
    }
  }
}

TEST(Mask, WhiteStaysWhiteHoweverThinAndSoft) {
  const Image mask = drawn({".......", "...#...", "......."});
  expect_same(soften_mask(mask, 0), mask);
  for (const int sigma : {1, 4, 64}) EXPECT_EQ(soften_mask(mask, sigma).pixels[10], 255);
}

TEST(Mask, ABlurWiderThanTheMaskIsFine) {
  expect_same(soften_mask({1, 1, 1, {255}}, 64), {1, 1, 1, {255}});
  EXPECT_EQ(soften_mask(drawn({"#.#"}), 64).pixels.size(), 3U);
  EXPECT_TRUE(is_black(soften_mask(drawn({"...", "..."}), 4)));
  EXPECT_FALSE(is_black(drawn({"...", "..#"})));
}

TEST(LatentMask, IsWidenedBySixNeighbours) {
  const auto widened = [](const std::vector<std::string>& rows) {
    return as_image(latent_mask(cells(rows), static_cast<std::int64_t>(rows[0].size()),
                                static_cast<std::int64_t>(rows.size()), 8, true));
  };
  expect_same(widened({".....", ".....", "..#..", ".....", "....."}),
              drawn({".....", ".##..", ".###.", "..##.", "....."}));
  // Once, not again from what it has widened; and never over the border.
  expect_same(widened({"#....", ".....", "....."}), drawn({"##...", "##...", "....."}));
  expect_same(widened({"....#", ".....", "....."}), drawn({"...##", "....#", "....."}));
  expect_same(widened({".....", ".....", "....#"}), drawn({".....", "...##", "...##"}));
  expect_same(widened({".....", ".....", "#...."}), drawn({".....", "#....", "##..."}));
  expect_same(widened({"...", "..."}), drawn({"...", "..."}));
  expect_same(widened({"###", "###"}), drawn({"###", "###"}));
}

TEST(LatentMask, WithoutWideningItIsTheCells) {
  const std::vector<std::string> rows = {"..#..", "##...", "....#"};
  expect_same(as_image(latent_mask(cells(rows), 5, 3, 8, false)), drawn(rows));
}

TEST(LatentMask, OnlyTopLeftPixelsWiden) {
  Image mask = cells({"...", "...", "..."});
  const auto pixel = [&](int x, int y) -> std::uint8_t& {
    return mask.pixels[static_cast<std::size_t>(y * 24 + x)];
  };
  pixel(9, 9) = 255;
  expect_same(as_image(latent_mask(mask, 3, 3, 8, true)), drawn({"...", ".#.", "..."}));
  pixel(8, 8) = 127;
  expect_same(as_image(latent_mask(mask, 3, 3, 8, true)), drawn({"...", ".#.", "..."}));
  pixel(8, 8) = 128;
  expect_same(as_image(latent_mask(mask, 3, 3, 8, true)), drawn({"##.", "###", ".##"}));
}

TEST(LatentMask, BeyondTheImageItsBorderGoesOn) {
  // 12 x 9 pixels at a size of 32 x 24.
  Image mask{12, 9, 1, Bytes(std::size_t{12} * 9, 0)};
  mask.pixels[11] = 255;
  expect_same(as_image(latent_mask(mask, 4, 3, 8, false)), drawn({".###", "....", "...."}));
  mask.pixels[std::size_t{8} * 12] = 255;
  expect_same(as_image(latent_mask(mask, 4, 3, 8, false)), drawn({".###", "#...", "#..."}));
}

TEST(LatentMask, CoversEveryPixelThatIsSeen) {
  std::uint32_t state = 1;
  const auto random = [&state](int below) {
    state = state * 1'664'525U + 1'013'904'223U;
    return static_cast<int>((state >> 8U) % static_cast<unsigned>(below));
  };
  for (int round = 0; round < 60; ++round) {
    const int width = 1 + random(150);
    const int height = 1 + random(150);
    Image mask{width, height, 1, Bytes(static_cast<std::size_t>(width * height), 0)};
    for (int spot = 0; spot < 3; ++spot) {
      mask.pixels[static_cast<std::size_t>(random(width * height))] = 255;
    }
    const Image soft = soften_mask(mask, random(2) * random(6));
    const Image latents = as_image(latent_mask(soft, 24, 24, 8, random(2) == 0));
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if (soft.pixels[static_cast<std::size_t>(y * width + x)] == 0) continue;
        EXPECT_EQ(latents.pixels[static_cast<std::size_t>(y / 8 * 24 + x / 8)], 255)
            << width << " x " << height << " at " << x << ", " << y;
      }
    }
  }
}

TEST(Mask, PutsTheImageBackBitForBit) {
  const Image image = gradient(256, 1, 3);
  Image mask{256, 1, 1, {}};
  for (int i = 0; i < 256; ++i) mask.pixels.push_back(static_cast<std::uint8_t>(i));
  Bytes generated(image.pixels.size(), 31);
  restore_unmasked(image, mask, generated);
  for (std::size_t i = 0; i < generated.size(); ++i) {
    const double share = static_cast<double>(i / 3) / 255.0;
    EXPECT_NEAR(generated[i], 31 * share + image.pixels[i] * (1 - share), 0.5 + 1e-9) << i;
  }
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(generated[c], image.pixels[c]);
    EXPECT_EQ(generated[765 + c], 31);
  }
}

}  // namespace
}  // namespace kandinsky::images
