#include "io/bicubic.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace kandinsky::io {
namespace {

/// Fixed point of the coefficients: 8 bits of a pixel, 2 for overshoot, the rest of 32.
constexpr int kPrecisionBits = 22;
constexpr double kSupport = 2.0;

double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  return 0.0;
}

/// What one output pixel is made of: weights[i] of input pixel first + i.
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;
};

Taps taps_of(int from, std::int64_t to, std::int64_t place) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double filter_scale = std::max(scale, 1.0);
  const double support = kSupport * filter_scale;
  const double center = (static_cast<double>(place) + 0.5) * scale;
  const double step = 1.0 / filter_scale;
  // Cut towards 0, as the source does.
  const int first = std::max(0, static_cast<int>(center - support + 0.5));
  const int end = std::min(from, static_cast<int>(center + support + 0.5));
  std::vector<double> weights;
  double sum = 0.0;
  for (int x = 0; x < end - first; ++x) {
    weights.push_back(bicubic((x + first - center + 0.5) * step));
    sum += weights.back();
  }
  Taps taps{.first = first, .weights = {}};
  for (double weight : weights) {
    if (sum != 0.0) weight /= sum;
    const double fixed = weight * (1 << kPrecisionBits);
    taps.weights.push_back(static_cast<std::int32_t>(fixed + (weight < 0.0 ? -0.5 : 0.5)));
  }
  return taps;
}

std::vector<Taps> taps_of_range(int from, std::int64_t to, int begin, int count) {
  std::vector<Taps> result;
  for (int i = 0; i < count; ++i) result.push_back(taps_of(from, to, std::int64_t{begin} + i));
  return result;
}

std::uint8_t weighted_sum(const Taps& taps, const std::uint8_t* first, std::size_t stride) {
  std::int32_t sum = 1 << (kPrecisionBits - 1);
  for (const std::int32_t weight : taps.weights) {
    sum += *first * weight;
    first += stride;
  }
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

}  // namespace

Image resize_bicubic(const Image& image, std::int64_t width, std::int64_t height,
                     const Window& window) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::vector<Taps> across = taps_of_range(image.width, width, window.left, window.width);
  const std::vector<Taps> down = taps_of_range(image.height, height, window.top, window.height);
  const auto row_size = static_cast<std::size_t>(window.width) * channels;

  // The rows of the picture that the pass down needs, already of the window's width.
  const int first_row = down.front().first;
  const int end_row = down.back().first + static_cast<int>(down.back().weights.size());
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(end_row - first_row) * row_size);
  auto to = rows.begin();
  for (int y = first_row; y < end_row; ++y) {
    const std::uint8_t* const row =
        image.pixels.data() +
        static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) * channels;
    for (const Taps& taps : across) {
      const std::uint8_t* const first = row + static_cast<std::size_t>(taps.first) * channels;
      for (std::size_t c = 0; c < channels; ++c) *to++ = weighted_sum(taps, first + c, channels);
    }
  }

  Image result{window.width, window.height, image.channels, {}};
  result.pixels.reserve(static_cast<std::size_t>(window.height) * row_size);
  for (const Taps& taps : down) {
    const std::uint8_t* const first =
        rows.data() + static_cast<std::size_t>(taps.first - first_row) * row_size;
    for (std::size_t i = 0; i < row_size; ++i) {
      result.pixels.push_back(weighted_sum(taps, first + i, row_size));
    }
  }
  return result;
}

}  // namespace kandinsky::io
