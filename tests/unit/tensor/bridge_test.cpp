#include "tensor/bridge.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace kandinsky::tensor {
namespace {

at::Tensor grey(double level) { return at::full({1, 3, 1, 1}, level * 2 - 1); }

uint8_t written(const at::Tensor& pixel) {
  uint8_t bytes[3];
  to_images(pixel, 1, 1, bytes);
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_EQ(bytes[0], bytes[2]);
  return bytes[0];
}

TEST(BridgeTest, ClampsAndRoundsHalfToEven) {
  EXPECT_EQ(written(grey(-3.0)), 0);
  EXPECT_EQ(written(grey(4.0)), 255);
  EXPECT_EQ(written(grey(0.5)), 128);  // 127.5
  EXPECT_EQ(written(grey(100.4 / 255)), 100);
  EXPECT_EQ(written(grey(100.6 / 255)), 101);
}

TEST(BridgeTest, CropsFromTheTopLeft) {
  at::Tensor pixels = at::full({2, 3, 4, 5}, -1.0);
  pixels[1][0][1][2] = 1.0;
  std::vector<uint8_t> bytes(2 * 2 * 3 * 3);
  to_images(pixels, 2, 3, bytes.data());
  for (size_t i = 0; i < bytes.size(); ++i) {
    // image 1, row 1, column 2, red
    EXPECT_EQ(bytes[i], i == ((1 * 2 + 1) * 3 + 2) * 3 ? 255 : 0) << i;
  }
}

TEST(BridgeTest, ImagesComeBackUnchanged) {
  std::vector<uint8_t> bytes(16 * 16 * 3);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  std::vector<uint8_t> again(bytes.size());
  to_images(from_images(bytes.data(), 1, 16, 16), 16, 16, again.data());
  EXPECT_EQ(bytes, again);
}

TEST(BridgeTest, TheBorderIsRepeatedToTheRightAndBelow) {
  const at::Tensor pixels = at::arange(6, at::kFloat).view({1, 1, 2, 3});
  const at::Tensor extended = extend_border(pixels, 4, 5);
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 0; x < 5; ++x) {
      EXPECT_EQ(extended[0][0][y][x].item<float>(),
                pixels[0][0][std::min<int64_t>(y, 1)][std::min<int64_t>(x, 2)].item<float>());
    }
  }
  EXPECT_TRUE(at::equal(extend_border(pixels, 2, 3), pixels));
}

}  // namespace
}  // namespace kandinsky::tensor
