#include "nn/kernels/norm_kernels.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "nn/kernels/element_loops.h"

namespace kandinsky::nn::kernels {
namespace {

/// e^x to 2 units in the last place, in a form that compilers turn into vector code: 2^n times a
/// polynomial on [-ln 2 / 2, ln 2 / 2].
KANDINSKY_INLINE float exponential(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F;
  constexpr float kLn2Low = 1.42860677e-6F;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float shifted = x * kLog2E + kRounder;
  const float n = shifted - kRounder;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) << 23U;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) + exponent);
}

/// A row of pixels; each run of `run` pixels shares a cell.
template <typename Number>
struct Row {
  int64_t pixels;
  int64_t run;
  int64_t channels;
  const float* scale;
  const float* shift;
  const Number* factor;  ///< null: no cells
  const Number* addend;
};

/// Channels per block. Short loops of one kind each become vector code.
constexpr int64_t kChannelsAtOnce = 256;

template <typename Number, Then then>
KANDINSKY_INLINE void apply_to_row(const Row<Number>& row, const Number* from, Number* to) {
  float values[kChannelsAtOnce];
  for (int64_t pixel = 0; pixel < row.pixels; ++pixel) {
    const int64_t cell = pixel / row.run * row.channels;
    for (int64_t begin = 0; begin < row.channels; begin += kChannelsAtOnce) {
      const int64_t count = std::min(kChannelsAtOnce, row.channels - begin);
      const Number* const source = from + pixel * row.channels + begin;
      const float* const scale = row.scale + begin;
      const float* const shift = row.shift + begin;
      for (int64_t c = 0; c < count; ++c) values[c] = to_float(source[c]) * scale[c] + shift[c];
      if (row.factor != nullptr) {
        const Number* const factor = row.factor + cell + begin;
        const Number* const addend = row.addend + cell + begin;
        for (int64_t c = 0; c < count; ++c)
          values[c] = values[c] * to_float(factor[c]) + to_float(addend[c]);
      }
      if constexpr (then == Then::kSilu) {
        for (int64_t c = 0; c < count; ++c) values[c] /= 1.0F + exponential(-values[c]);
      }
      Number* const target = to + pixel * row.channels + begin;
      for (int64_t c = 0; c < count; ++c) store(values[c], target[c]);
    }
  }
}

KANDINSKY_FOR_EACH_CPU void plain_row(const Row<float>& row, const float* from, float* to) {
  apply_to_row<float, Then::kNothing>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void silu_row(const Row<float>& row, const float* from, float* to) {
  apply_to_row<float, Then::kSilu>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void plain_row(const Row<BFloat16>& row, const BFloat16* from,
                                      BFloat16* to) {
  apply_to_row<BFloat16, Then::kNothing>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void silu_row(const Row<BFloat16>& row, const BFloat16* from, BFloat16* to) {
  apply_to_row<BFloat16, Then::kSilu>(row, from, to);
}

/// Sums over pixels, per channel: of the distances from `reference`, and of their squares.
/// Distances from a value of the map avoid cancellation on even surfaces.
template <typename Number>
KANDINSKY_INLINE void add_distances(const Number* from, int64_t pixels, int64_t channels,
                                    const float* reference, float* sum, float* squares) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, from += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float distance = to_float(from[c]) - reference[c];
      sum[c] += distance;
      squares[c] += distance * distance;
    }
  }
}

KANDINSKY_FOR_EACH_CPU void add_all_distances(const float* from, int64_t pixels, int64_t channels,
                                              const float* reference, float* sum, float* squares) {
  add_distances(from, pixels, channels, reference, sum, squares);
}
KANDINSKY_FOR_EACH_CPU void add_all_distances(const BFloat16* from, int64_t pixels,
                                              int64_t channels, const float* reference, float* sum,
                                              float* squares) {
  add_distances(from, pixels, channels, reference, sum, squares);
}

/// Mean and summed squared distance from it, of a number of values.
struct Moments {
  double count = 0.0;
  double mean = 0.0;
  double m2 = 0.0;

  /// Source: Chan, Golub and LeVeque 1983, (2.1).
  void add(const Moments& other) {
    if (other.count == 0.0) return;
    const double total = count + other.count;
    const double delta = other.mean - mean;
    mean += delta * other.count / total;
    m2 += other.m2 + delta * delta * count * other.count / total;
    count = total;
  }
};

/// Maximum pixels of a sum in fp32.
constexpr int64_t kPixelsAtOnce = 128;
/// Parts of a map that are summed separately, for any number of threads.
constexpr int64_t kParts = 16;

/// Moments of each group in a part of one map.
template <typename Number>
void part_moments(const Number* from, int64_t pixels, int64_t channels, int64_t groups,
                  Moments* moments) {
  const auto width = static_cast<size_t>(channels);
  std::vector<float> reference(width), sum(width), squares(width);
  for (int64_t begin = 0; begin < pixels; begin += kPixelsAtOnce) {
    const int64_t count = std::min(kPixelsAtOnce, pixels - begin);
    const Number* const block = from + begin * channels;
    for (size_t c = 0; c < width; ++c) reference[c] = to_float(block[c]);
    std::fill(sum.begin(), sum.end(), 0.0F);
    std::fill(squares.begin(), squares.end(), 0.0F);
    add_all_distances(block, count, channels, reference.data(), sum.data(), squares.data());
    const auto n = static_cast<double>(count);
    for (size_t c = 0; c < width; ++c) {
      const double offset = sum[c] / n;
      moments[c / (width / static_cast<size_t>(groups))].add(
          {.count = n,
           .mean = reference[c] + offset,
           .m2 = std::max(0.0, static_cast<double>(squares[c]) - sum[c] * offset)});
    }
  }
}

/// Mean and 1 / sqrt(variance + eps) of each group of each map.
struct Statistic {
  double mean;
  double rstd;
};

template <typename Number>
std::vector<Statistic> statistics(const at::Tensor& map, int64_t groups, double eps) {
  const auto* const from = static_cast<const Number*>(map.data_ptr());
  const int64_t channels = map.size(1);
  const int64_t pixels = map.size(2) * map.size(3);
  const int64_t parts = std::min(kParts, pixels);
  std::vector<Moments> moments(static_cast<size_t>(map.size(0) * parts * groups));
  at::parallel_for(0, map.size(0) * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % parts * pixels / parts;
      const int64_t last = (i % parts + 1) * pixels / parts;
      part_moments(from + (i / parts * pixels + first) * channels, last - first, channels, groups,
                   &moments[static_cast<size_t>(i * groups)]);
    }
  });
  std::vector<Statistic> result;
  for (int64_t i = 0; i < map.size(0) * groups; ++i) {
    Moments whole;
    for (int64_t part = 0; part < parts; ++part)
      whole.add(moments[static_cast<size_t>((i / groups * parts + part) * groups + i % groups)]);
    result.push_back({whole.mean, 1.0 / std::sqrt(whole.m2 / whole.count + eps)});
  }
  return result;
}

template <typename Number>
void apply_to_map(const at::Tensor& map, const ChannelAffine& affine, const Cells& cells, Then then,
                  at::Tensor& result) {
  const auto numbers = [](const at::Tensor& tensor) {
    return tensor.defined() ? static_cast<const Number*>(tensor.data_ptr()) : nullptr;
  };
  const Number* const from = numbers(map);
  auto* const to = static_cast<Number*>(result.data_ptr());
  const auto* const scale = affine.scale.data_ptr<float>();
  const auto* const shift = affine.shift.data_ptr<float>();
  const Number* const factor = numbers(cells.factor);
  const Number* const addend = numbers(cells.addend);
  const int64_t channels = map.size(1);
  const int64_t height = map.size(2);
  const int64_t width = map.size(3);
  const int64_t cell_rows = factor != nullptr ? cells.factor.size(2) : 1;
  const int64_t cell_columns = factor != nullptr ? cells.factor.size(3) : 1;
  constexpr int64_t kNumbersPerTask = 32768;
  const int64_t grain = std::max<int64_t>(1, kNumbersPerTask / (width * channels));
  at::parallel_for(0, map.size(0) * height, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t batch = i / height;
      const int64_t cell_row = batch * cell_rows + i % height / (height / cell_rows);
      const int64_t cell = cell_row * cell_columns * channels;
      const Row<Number> row{.pixels = width,
                            .run = width / cell_columns,
                            .channels = channels,
                            .scale = scale + batch * channels,
                            .shift = shift + batch * channels,
                            .factor = factor != nullptr ? factor + cell : nullptr,
                            .addend = factor != nullptr ? addend + cell : nullptr};
      const int64_t at = i * width * channels;
      if (then == Then::kSilu) {
        silu_row(row, from + at, to + at);
      } else {
        plain_row(row, from + at, to + at);
      }
    }
  });
}

}  // namespace

bool is_for(const at::Tensor& map) {
  return map.is_cpu() && map.dim() == 4 && map.numel() > 0 &&
         (map.scalar_type() == at::kFloat || map.scalar_type() == at::kBFloat16) &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

ChannelAffine group_norm(const at::Tensor& map, int64_t groups, double eps,
                         const at::Tensor& weight, const at::Tensor& bias) {
  TORCH_INTERNAL_ASSERT(is_for(map) && map.size(1) % groups == 0);
  const bool is_float = map.scalar_type() == at::kFloat;
  const std::vector<Statistic> of_groups =
      is_float ? statistics<float>(map, groups, eps) : statistics<BFloat16>(map, groups, eps);
  const at::Tensor weights = weight.to(at::kFloat).contiguous();
  const at::Tensor biases = bias.to(at::kFloat).contiguous();
  const int64_t channels = map.size(1);
  ChannelAffine affine{at::empty({map.size(0), channels}, at::kFloat),
                       at::empty({map.size(0), channels}, at::kFloat)};
  for (int64_t i = 0; i < map.size(0) * channels; ++i) {
    const auto [mean, rstd] = of_groups[static_cast<size_t>(i / (channels / groups))];
    const double scale = rstd * weights.const_data_ptr<float>()[i % channels];
    affine.scale.mutable_data_ptr<float>()[i] = static_cast<float>(scale);
    affine.shift.mutable_data_ptr<float>()[i] =
        static_cast<float>(biases.const_data_ptr<float>()[i % channels] - mean * scale);
  }
  return affine;
}

void apply(const at::Tensor& map, const ChannelAffine& affine, const Cells& cells, Then then,
           at::Tensor& result) {
  TORCH_INTERNAL_ASSERT(is_for(map) && is_for(result) && result.sizes() == map.sizes() &&
                        result.scalar_type() == map.scalar_type());
  for (const at::Tensor& cell : {cells.factor, cells.addend}) {
    TORCH_INTERNAL_ASSERT(cell.defined() == cells.factor.defined());
    if (!cell.defined()) continue;
    TORCH_INTERNAL_ASSERT(is_for(cell) && cell.scalar_type() == map.scalar_type() &&
                          cell.sizes() == cells.factor.sizes() && cell.size(0) == map.size(0) &&
                          cell.size(1) == map.size(1) && map.size(2) % cell.size(2) == 0 &&
                          map.size(3) % cell.size(3) == 0);
  }
  if (map.scalar_type() == at::kFloat) {
    apply_to_map<float>(map, affine, cells, then, result);
  } else {
    apply_to_map<BFloat16>(map, affine, cells, then, result);
  }
}

}  // namespace kandinsky::nn::kernels
