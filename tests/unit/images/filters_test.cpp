#include "images/filters.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "unit/images/support.h"

namespace kandinsky::images {
namespace {

constexpr ResizeFilter kFilters[] = {ResizeFilter::kBicubic, ResizeFilter::kLanczos};

Image whole(const Image& image, int width, int height, ResizeFilter filter) {
  return resize(image, width, height, {.left = 0, .top = 0, .width = width, .height = height},
                filter);
}

TEST(Filters, ResizedImagesHaveThePixelsOfPillow) {
  const auto row = [](const Bytes& pixels, int width, ResizeFilter filter) {
    return whole({static_cast<int>(pixels.size()), 1, 1, pixels}, width, 1, filter).pixels;
  };
  const auto column = [](const Bytes& pixels, ResizeFilter filter) {
    return whole({1, static_cast<int>(pixels.size()), 1, pixels}, 2, 3, filter).pixels;
  };
  const Bytes seven = {0, 10, 200, 30, 255, 90, 7};
  EXPECT_EQ(row({0, 255}, 5, ResizeFilter::kBicubic), (Bytes{0, 17, 128, 238, 255}));
  EXPECT_EQ(row(seven, 3, ResizeFilter::kBicubic), (Bytes{39, 142, 90}));
  EXPECT_EQ(column(seven, ResizeFilter::kBicubic), (Bytes{39, 39, 142, 142, 90, 90}));
  EXPECT_EQ(row({0, 255}, 5, ResizeFilter::kLanczos), (Bytes{0, 22, 128, 233, 255}));
  EXPECT_EQ(row(seven, 3, ResizeFilter::kLanczos), (Bytes{33, 151, 89}));
  EXPECT_EQ(row(seven, 4, ResizeFilter::kLanczos), (Bytes{13, 112, 168, 56}));
  EXPECT_EQ(column(seven, ResizeFilter::kLanczos), (Bytes{33, 33, 151, 151, 89, 89}));

  const Image image = scattered(40, 23, 3);
  EXPECT_EQ(checksum(whole(image, 17, 11, ResizeFilter::kBicubic)), 2'232'160'765U);
  EXPECT_EQ(checksum(whole(image, 90, 57, ResizeFilter::kBicubic)), 1'242'323'830U);
  EXPECT_EQ(checksum(whole(image, 13, 90, ResizeFilter::kBicubic)), 1'267'905'053U);
  EXPECT_EQ(checksum(whole(image, 17, 11, ResizeFilter::kLanczos)), 2'304'250'379U);
  EXPECT_EQ(checksum(whole(image, 90, 57, ResizeFilter::kLanczos)), 2'680'708'387U);
  EXPECT_EQ(checksum(whole(image, 13, 90, ResizeFilter::kLanczos)), 2'264'183'308U);
}

TEST(Filters, TheSameSizeIsTheSameImage) {
  for (const int channels : {1, 3, 4}) {
    const Image image = scattered(13, 9, channels);
    for (const ResizeFilter filter : kFilters) expect_same(whole(image, 13, 9, filter), image);
  }
}

TEST(Filters, OneColourStaysIt) {
  const Image image{31, 5, 3, Bytes(31 * 5 * 3, 201)};
  for (const auto& [width, height] : {std::pair{7, 3}, std::pair{100, 80}, std::pair{1, 1}}) {
    for (const ResizeFilter filter : kFilters)
      expect_same(whole(image, width, height, filter), flat(width, height, {201, 201, 201}));
  }
}

TEST(Filters, AWindowIsAPartOfTheWhole) {
  const Image image = scattered(40, 23, 3);
  for (const auto& [width, height] : {std::pair{17, 11}, std::pair{90, 57}}) {
    const Image all = whole(image, width, height, ResizeFilter::kLanczos);
    const Window window{.left = 5, .top = 3, .width = 9, .height = 6};
    const Image part = resize(image, width, height, window, ResizeFilter::kLanczos);
    ASSERT_EQ(part.width, 9);
    ASSERT_EQ(part.height, 6);
    for (int y = 0; y < window.height; ++y) {
      const auto row = all.pixels.begin() + ((y + window.top) * width + window.left) * 3;
      EXPECT_TRUE(
          std::equal(row, row + window.width * 3, part.pixels.begin() + y * window.width * 3));
    }
  }
}

TEST(Filters, ThinImagesOfAnyScaleCostWhatTheWindowNeeds) {
  const auto start = std::chrono::steady_clock::now();
  for (const auto& [width, height] : {std::pair{1, 65535}, std::pair{65535, 1}}) {
    // The whole would have 224 * 14,679,840 pixels.
    const std::int64_t scale = 224;
    const Image result = resize(scattered(width, height, 3), width * scale, height * scale,
                                {.left = width == 1 ? 0 : 7'000'000,
                                 .top = height == 1 ? 0 : 7'000'000,
                                 .width = 224,
                                 .height = 224},
                                ResizeFilter::kBicubic);
    EXPECT_EQ(result.pixels.size(), 224U * 224 * 3);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

/// The blur of one row, in doubles.
std::vector<double> blurred(const std::vector<double>& values, int sigma) {
  const int size = static_cast<int>(values.size());
  const int reach = static_cast<int>(2.5 * sigma + 0.5);
  std::vector<double> result;
  for (int i = 0; i < size; ++i) {
    double sum = 0.0;
    double weights = 0.0;
    for (int x = -reach; x <= reach; ++x) {
      int place = i + x;
      while (place < 0 || place >= size) place = place < 0 ? -place : 2 * size - 2 - place;
      const double weight = std::exp(-0.5 * x * x / (sigma * sigma));
      sum += weight * values[static_cast<std::size_t>(place)];
      weights += weight;
    }
    result.push_back(sum / weights);
  }
  return result;
}

TEST(Filters, TheBlurIsGaussianAndMirrorsTheBorder) {
  for (const int sigma : {1, 4, 64}) {
    for (const int size : {2, 9, 200}) {
      const Image image = scattered(size, 1, 1);
      const Image upright{1, size, 1, image.pixels};
      const std::vector<double> expected =
          blurred({image.pixels.begin(), image.pixels.end()}, sigma);
      const Bytes across = gaussian_blur(image, sigma).pixels;
      EXPECT_EQ(gaussian_blur(upright, sigma).pixels, across);
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(across[i], expected[i], 0.51) << sigma << " " << size << " " << i;
    }
    expect_same(gaussian_blur(flat(1, 1, {201}), sigma), flat(1, 1, {201}));
    expect_same(gaussian_blur(flat(30, 40, {255}), sigma), flat(30, 40, {255}));
  }
}

TEST(Filters, AnyNumberOfThreadsGivesTheSameBits) {
  const int threads = at::get_num_threads();
  const Image image = scattered(301, 203, 3);
  const auto all = [&image] {
    return std::vector<Image>{whole(image, 640, 480, ResizeFilter::kBicubic),
                              whole(image, 97, 61, ResizeFilter::kLanczos),
                              gaussian_blur(image, 4)};
  };
  at::set_num_threads(1);
  const std::vector<Image> alone = all();
  at::set_num_threads(5);
  const std::vector<Image> together = all();
  at::set_num_threads(threads);
  EXPECT_EQ(alone, together);
}

}  // namespace
}  // namespace kandinsky::images
