#include "images/resize.h"

#include <cmath>
#include <utility>

#include "unit/images/support.h"
#include "unit/support.h"

namespace kandinsky::images {
namespace {

constexpr ResizeMode kModes[] = {ResizeMode::kStretch, ResizeMode::kCrop, ResizeMode::kFill};

/// Black with a white rectangle.
Image rectangle(int width, int height, int left, int top, int right, int bottom) {
  Image image = flat(width, height, {0});
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) image.pixels[static_cast<std::size_t>(y * width + x)] = 255;
  }
  return image;
}

/// Where the light is, in pixels from the upper left corner.
std::pair<double, double> centre(const Image& image) {
  double x_sum = 0.0;
  double y_sum = 0.0;
  double sum = 0.0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double value = image.pixels[static_cast<std::size_t>(y * image.width + x)];
      x_sum += value * (x + 0.5);
      y_sum += value * (y + 0.5);
      sum += value;
    }
  }
  return {x_sum / sum, y_sum / sum};
}

TEST(Resize, FlatColoursStayWhateverTheSizes) {
  const std::pair<int, int> sizes[] = {{1, 1}, {1, 900}, {900, 1}, {7, 5}, {64, 64}, {100, 37}};
  for (const auto& [width, height] : sizes) {
    for (const Bytes& colour : {Bytes{255}, Bytes{1, 128, 254}, Bytes{0, 77, 255, 200}}) {
      for (const ResizeMode mode : kModes) {
        expect_same(resize_image(flat(width, height, colour), 61, 83, mode), flat(61, 83, colour));
      }
    }
  }
}

TEST(Resize, TheSameSizeIsTheSameImage) {
  const Image image = gradient(9, 7, 4);
  for (const ResizeMode mode : kModes) expect_same(resize_image(image, 9, 7, mode), image);
}

TEST(Resize, NoPixelIsSkipped) {
  // Fine stripes become grey, but for Pillow's values where the border cuts the filter.
  Image stripes{512, 64, 1, {}};
  for (int i = 0; i < 512 * 64; ++i) stripes.pixels.push_back(i % 2 == 0 ? 0 : 200);
  // Also where the other side grows.
  for (const int height : {16, 80}) {
    Image expected = flat(128, height, {100});
    for (std::size_t row = 0; row < expected.pixels.size(); row += 128) {
      expected.pixels[row] = 92;
      expected.pixels[row + 1] = 102;
      expected.pixels[row + 126] = 98;
      expected.pixels[row + 127] = 108;
    }
    expect_same(resize_image(stripes, 128, height, ResizeMode::kStretch), expected);
  }
}

TEST(Resize, HasThePixelsOfTheHost) {
  // Pillow's, at the places of Automatic1111's resize_image. In "fill" that leaves a line black
  // where the borders differ in width; here it is filled as well.
  struct Case {
    int width, height, to_width, to_height;
    std::uint32_t checksums[3];
  };
  const Case cases[] = {
      {40, 23, 31, 64, {3'282'000'469U, 1'651'268'526U, 1'306'482'508U}},
      {40, 23, 90, 20, {1'417'104'757U, 4'196'880'218U, 1'273'511'274U}},
      {23, 40, 64, 64, {189'756'087U, 3'034'150'618U, 767'123'834U}},
      {5, 50, 33, 17, {890'058'065U, 2'632'520'145U, 3'433'968'877U}},
      {300, 200, 200, 333, {3'225'628'075U, 2'680'504'123U, 3'575'646'615U}},
  };
  for (const Case& each : cases) {
    for (int i = 0; i < 3; ++i) {
      const Image result = resize_image(scattered(each.width, each.height, 3), each.to_width,
                                        each.to_height, kModes[i]);
      EXPECT_EQ(checksum(result), each.checksums[i]) << each.to_width << " " << i;
    }
  }
}

TEST(Resize, WhatIsInTheMiddleStaysThere) {
  const std::pair<int, int> targets[] = {{64, 64}, {512, 384}, {200, 333}, {90, 700}};
  const Image image = rectangle(300, 200, 148, 96, 158, 110);
  for (const auto& [width, height] : targets) {
    for (const ResizeMode mode : kModes) {
      const double scale_x = width / 300.0;
      const double scale_y = height / 200.0;
      double x_scale = scale_x;
      double y_scale = scale_y;
      if (mode == ResizeMode::kCrop) x_scale = y_scale = std::max(scale_x, scale_y);
      if (mode == ResizeMode::kFill) x_scale = y_scale = std::min(scale_x, scale_y);
      const auto [x, y] = centre(resize_image(image, width, height, mode));
      // Cutting and adding are done in whole pixels.
      EXPECT_NEAR(x, width / 2.0 + (153.0 - 150.0) * x_scale, 0.6) << width << " " << height;
      EXPECT_NEAR(y, height / 2.0 + (103.0 - 100.0) * y_scale, 0.6) << width << " " << height;
    }
  }
}

TEST(Resize, CropCutsBothEndsAlike) {
  // 4 times as wide as high: of columns 0 to 31 the middle ones stay.
  const Image wide = rectangle(32, 8, 12, 0, 20, 8);
  expect_same(resize_image(wide, 8, 8, ResizeMode::kCrop), flat(8, 8, {255}));
  const Image high = rectangle(8, 32, 0, 12, 8, 20);
  expect_same(resize_image(high, 8, 8, ResizeMode::kCrop), flat(8, 8, {255}));
}

TEST(Resize, FillRepeatsTheBorder) {
  const Image image = gradient(8, 4, 3);
  const Image filled = resize_image(image, 8, 8, ResizeMode::kFill);
  const auto row = [](const Image& of, std::size_t y) {
    const auto begin = of.pixels.begin() + static_cast<std::ptrdiff_t>(y * 24);
    return Bytes(begin, begin + 24);
  };
  for (std::size_t y = 0; y < 8; ++y) {
    const std::size_t from = y < 2 ? 0 : std::min<std::size_t>(y - 2, 3);
    EXPECT_EQ(row(filled, y), row(image, from)) << y;
  }
}

TEST(Resize, ThinImagesNeedNoMoreThanTheResult) {
  // Scaled whole before cutting, this would be 512 x 4,608,000 pixels.
  for (const ResizeMode mode : kModes) {
    const Image high = resize_image(gradient(1, 9000, 3), 512, 512, mode);
    EXPECT_EQ(high.pixels.size(), std::size_t{512} * 512 * 3);
    const Image wide = resize_image(gradient(65'535, 1, 3), 512, 512, mode);
    EXPECT_EQ(wide.pixels.size(), std::size_t{512} * 512 * 3);
    const Image point = resize_image(flat(1, 1, {9, 8, 7}), 300, 200, mode);
    expect_same(point, flat(300, 200, {9, 8, 7}));
  }
}

TEST(Resize, RefusesWhatIsNoImageOrSize) {
  const auto refuse = [](std::string_view part, const Image& image, int width, int height) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { (void)resize_image(image, width, height, ResizeMode::kStretch); });
  };
  refuse("0 x 8 pixels", gradient(2, 2, 3), 0, 8);
  refuse("8 x -1 pixels", gradient(2, 2, 3), 8, -1);
  refuse("65536 x 8 pixels are too many", gradient(2, 2, 3), 65'536, 8);
  refuse("2 channels", {1, 1, 2, {1, 2}}, 8, 8);
  refuse("0 x 0 pixels", {}, 8, 8);
  refuse("has 3 values, expected 12", {2, 2, 3, {1, 2, 3}}, 8, 8);
}

TEST(Resize, RgbIsGreyThreeTimesAndAlphaOnWhite) {
  expect_same(io::to_rgb({2, 1, 1, {7, 200}}), {2, 1, 3, {7, 7, 7, 200, 200, 200}});
  expect_same(io::to_rgb(gradient(3, 2, 3)), gradient(3, 2, 3));
  const Image rgba{3, 1, 4, {10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 51}};
  expect_same(io::to_rgb(rgba), {3, 1, 3, {10, 20, 30, 255, 255, 255, 204, 224, 255}});
}

}  // namespace
}  // namespace kandinsky::images
