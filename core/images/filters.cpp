#include "images/filters.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace kandinsky::images {
namespace {

/// Fixed point of the weights: 8 bits of a pixel, 2 for overshoot, the rest of 32.
constexpr int kPrecisionBits = 22;

/// Minimum output bytes per thread.
constexpr std::int64_t kGrain = 1 << 14;

double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

/// The taps of one output pixel: weights[i] of input pixel first + i.
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;
};

/// weights: of any sum.
Taps fixed_taps(int first, const std::vector<double>& weights) {
  double sum = 0.0;
  for (const double weight : weights) sum += weight;
  Taps taps{.first = first, .weights = {}};
  for (double weight : weights) {
    if (sum != 0.0) weight /= sum;
    const double fixed = weight * (1 << kPrecisionBits);
    taps.weights.push_back(static_cast<std::int32_t>(fixed + (weight < 0.0 ? -0.5 : 0.5)));
  }
  return taps;
}

Taps resize_taps(int from, std::int64_t to, std::int64_t place, ResizeFilter filter) {
  const bool is_bicubic = filter == ResizeFilter::kBicubic;
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double filter_scale = std::max(scale, 1.0);
  const double support = (is_bicubic ? 2.0 : 3.0) * filter_scale;
  const double center = (static_cast<double>(place) + 0.5) * scale;
  const double step = 1.0 / filter_scale;
  // Truncated towards 0, as in the source.
  const int first = std::max(0, static_cast<int>(center - support + 0.5));
  const int end = std::min(from, static_cast<int>(center + support + 0.5));
  std::vector<double> weights;
  for (int x = 0; x < end - first; ++x) {
    const double distance = (x + first - center + 0.5) * step;
    weights.push_back(is_bicubic ? bicubic(distance) : lanczos(distance));
  }
  return fixed_taps(first, weights);
}

std::vector<Taps> resize_taps(int from, std::int64_t to, int begin, int count,
                              ResizeFilter filter) {
  std::vector<Taps> result;
  for (int i = 0; i < count; ++i)
    result.push_back(resize_taps(from, to, std::int64_t{begin} + i, filter));
  return result;
}

int mirrored(int place, int size) {
  if (size == 1) return 0;
  place = std::abs(place) % (2 * size - 2);
  return std::min(place, 2 * size - 2 - place);
}

std::vector<Taps> blur_taps(int size, int sigma) {
  const int reach = static_cast<int>(2.5 * sigma + 0.5);
  std::vector<Taps> result;
  for (int place = 0; place < size; ++place) {
    const int first = std::max(0, place - reach);
    const int end = std::min(size, place + reach + 1);
    std::vector<double> weights(static_cast<std::size_t>(end - first));
    for (int x = -reach; x <= reach; ++x) {
      weights[static_cast<std::size_t>(mirrored(place + x, size) - first)] +=
          std::exp(-0.5 * x * x / (static_cast<double>(sigma) * sigma));
    }
    result.push_back(fixed_taps(first, weights));
  }
  return result;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

template <int channels>
void filter_row(const std::uint8_t* row, const std::vector<Taps>& taps, std::uint8_t* to) {
  for (const Taps& pixel : taps) {
    std::int32_t sums[channels];
    std::fill_n(sums, channels, 1 << (kPrecisionBits - 1));
    const std::uint8_t* from = row + static_cast<std::ptrdiff_t>(pixel.first) * channels;
    for (const std::int32_t weight : pixel.weights) {
      for (int c = 0; c < channels; ++c) sums[c] += from[c] * weight;
      from += channels;
    }
    for (const std::int32_t sum : sums) *to++ = rounded(sum);
  }
}

/// The image's rows from `first` to `end`, filtered horizontally.
Image filter_across(const Image& image, const std::vector<Taps>& taps, int first, int end) {
  Image result{static_cast<int>(taps.size()), end - first, image.channels, {}};
  const std::int64_t from_size = std::int64_t{image.width} * image.channels;
  const std::int64_t to_size = std::int64_t{result.width} * result.channels;
  result.pixels.resize(static_cast<std::size_t>(to_size * result.height));
  const auto filter = image.channels == 1   ? filter_row<1>
                      : image.channels == 3 ? filter_row<3>
                                            : filter_row<4>;
  const std::int64_t grain = std::max(std::int64_t{1}, kGrain / to_size);
  at::parallel_for(0, result.height, grain, [&](std::int64_t begin, std::int64_t stop) {
    for (std::int64_t y = begin; y < stop; ++y) {
      filter(image.pixels.data() + (first + y) * from_size, taps,
             result.pixels.data() + y * to_size);
    }
  });
  return result;
}

/// image: its first row is the one that taps call `first`.
Image filter_down(const Image& image, const std::vector<Taps>& taps, int first) {
  Image result{image.width, static_cast<int>(taps.size()), image.channels, {}};
  const std::int64_t size = std::int64_t{image.width} * image.channels;
  result.pixels.resize(static_cast<std::size_t>(size * result.height));
  const std::int64_t grain = std::max(std::int64_t{1}, kGrain / size);
  at::parallel_for(0, result.height, grain, [&](std::int64_t begin, std::int64_t stop) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(size));
    for (std::int64_t y = begin; y < stop; ++y) {
      const Taps& row = taps[static_cast<std::size_t>(y)];
      std::ranges::fill(sums, 1 << (kPrecisionBits - 1));
      const std::uint8_t* from = image.pixels.data() + (row.first - first) * size;
      for (const std::int32_t weight : row.weights) {
        for (std::int64_t i = 0; i < size; ++i)
          sums[static_cast<std::size_t>(i)] += from[i] * weight;
        from += size;
      }
      std::ranges::transform(sums, result.pixels.begin() + y * size, rounded);
    }
  });
  return result;
}

}  // namespace

Image resize(const Image& image, std::int64_t width, std::int64_t height, const Window& window,
             ResizeFilter filter) {
  const std::vector<Taps> across =
      resize_taps(image.width, width, window.left, window.width, filter);
  const std::vector<Taps> down =
      resize_taps(image.height, height, window.top, window.height, filter);
  // Only the rows that the vertical pass needs.
  const int first = down.front().first;
  const int end = down.back().first + static_cast<int>(down.back().weights.size());
  return filter_down(filter_across(image, across, first, end), down, first);
}

Image gaussian_blur(const Image& image, int sigma) {
  const Image across = filter_across(image, blur_taps(image.width, sigma), 0, image.height);
  return filter_down(across, blur_taps(image.height, sigma), 0);
}

}  // namespace kandinsky::images
