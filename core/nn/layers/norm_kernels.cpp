#include "nn/layers/norm_kernels.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

// One machine code for each kind of CPU, chosen when the library is loaded.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KANDINSKY_FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KANDINSKY_FOR_EACH_CPU
#endif
#if defined(__GNUC__)
#define KANDINSKY_INLINE inline __attribute__((always_inline))
#else
#define KANDINSKY_INLINE inline
#endif

namespace kandinsky::nn::kernels {
namespace {

/// bf16 as it lies in memory.
struct Half {
  uint16_t bits;
};

KANDINSKY_INLINE float to_float(float x) { return x; }
KANDINSKY_INLINE float to_float(Half x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16U);
}

KANDINSKY_INLINE void store(float x, float& to) { to = x; }
KANDINSKY_INLINE void store(float x, Half& to) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;  // half to even
  const uint32_t quiet_nan = (bits >> 16U) | 0x40U;
  to.bits = static_cast<uint16_t>(x == x ? rounded : quiet_nan);
}

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

template <Then then>
KANDINSKY_INLINE float finish(float x) {
  return then == Then::kSilu ? x / (1.0F + exponential(-x)) : x;
}

/// A row of pixels, of which each `run` share a cell of scale and shift.
struct Row {
  int64_t pixels;
  int64_t run;
  int64_t channels;
  const float* scale;
  const float* shift;
};

template <typename Number, Then then>
KANDINSKY_INLINE void scale_row(const Row& row, const Number* from, Number* to) {
  const int64_t channels = row.channels;
  for (int64_t pixel = 0; pixel < row.pixels; ++pixel) {
    const float* const scale = row.scale + pixel / row.run * channels;
    const float* const shift = row.shift + pixel / row.run * channels;
    for (int64_t c = 0; c < channels; ++c)
      store(finish<then>(to_float(from[c]) * scale[c] + shift[c]), to[c]);
    from += channels;
    to += channels;
  }
}

using FloatRow = void (*)(const Row&, const float*, float*);
using HalfRow = void (*)(const Row&, const Half*, Half*);

KANDINSKY_FOR_EACH_CPU void scale_floats(const Row& row, const float* from, float* to) {
  scale_row<float, Then::kNothing>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void scale_floats_silu(const Row& row, const float* from, float* to) {
  scale_row<float, Then::kSilu>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void scale_halves(const Row& row, const Half* from, Half* to) {
  scale_row<Half, Then::kNothing>(row, from, to);
}
KANDINSKY_FOR_EACH_CPU void scale_halves_silu(const Row& row, const Half* from, Half* to) {
  scale_row<Half, Then::kSilu>(row, from, to);
}

/// Sums over pixels, per channel: of the distances from `reference`, and of their squares. Distances
/// from a number of the map's own size keep the digits that an even surface would cancel.
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

KANDINSKY_FOR_EACH_CPU void add_float_distances(const float* from, int64_t pixels, int64_t channels,
                                                const float* reference, float* sum,
                                                float* squares) {
  add_distances(from, pixels, channels, reference, sum, squares);
}
KANDINSKY_FOR_EACH_CPU void add_half_distances(const Half* from, int64_t pixels, int64_t channels,
                                               const float* reference, float* sum, float* squares) {
  add_distances(from, pixels, channels, reference, sum, squares);
}

void add_any_distances(const float* from, int64_t pixels, int64_t channels, const float* reference,
                       float* sum, float* squares) {
  add_float_distances(from, pixels, channels, reference, sum, squares);
}
void add_any_distances(const Half* from, int64_t pixels, int64_t channels, const float* reference,
                       float* sum, float* squares) {
  add_half_distances(from, pixels, channels, reference, sum, squares);
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

/// fp32 sums are of this many pixels at most.
constexpr int64_t kPixelsAtOnce = 128;
/// Parts of a map that are summed alone, whatever the number of threads.
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
    add_any_distances(block, count, channels, reference.data(), sum.data(), squares.data());
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

template <typename Number>
GroupStatistics statistics(const Number* from, const at::Tensor& map, int64_t groups, double eps) {
  const int64_t batch = map.size(0);
  const int64_t channels = map.size(1);
  const int64_t pixels = map.size(2) * map.size(3);
  const int64_t parts = std::min(kParts, pixels);
  std::vector<Moments> moments(static_cast<size_t>(batch * parts * groups));
  at::parallel_for(0, batch * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % parts * pixels / parts;
      const int64_t last = (i % parts + 1) * pixels / parts;
      part_moments(from + (i / parts * pixels + first) * channels, last - first, channels, groups,
                   &moments[static_cast<size_t>(i * groups)]);
    }
  });
  GroupStatistics result{at::empty({batch, groups}, at::kFloat),
                         at::empty({batch, groups}, at::kFloat)};
  auto* const mean = result.mean.data_ptr<float>();
  auto* const rstd = result.rstd.data_ptr<float>();
  for (int64_t i = 0; i < batch * groups; ++i) {
    Moments whole;
    for (int64_t part = 0; part < parts; ++part)
      whole.add(moments[static_cast<size_t>((i / groups * parts + part) * groups + i % groups)]);
    mean[i] = static_cast<float>(whole.mean);
    rstd[i] = static_cast<float>(1.0 / std::sqrt(whole.m2 / whole.count + eps));
  }
  return result;
}

template <typename Number, typename ScaleRow>
void scale_map(const at::Tensor& map, const at::Tensor& scale, const at::Tensor& shift,
               at::Tensor& result, ScaleRow scale_one_row) {
  const auto* const from = static_cast<const Number*>(map.data_ptr());
  auto* const to = static_cast<Number*>(result.data_ptr());
  const auto* const scales = scale.data_ptr<float>();
  const auto* const shifts = shift.data_ptr<float>();
  const int64_t channels = map.size(1);
  const int64_t height = map.size(2);
  const int64_t width = map.size(3);
  const int64_t cell_rows = scale.size(1);
  const int64_t cell_columns = scale.size(2);
  const int64_t grain = std::max<int64_t>(1, 32768 / (width * channels));
  at::parallel_for(0, map.size(0) * height, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t cell_row = i / height * cell_rows + i % height / (height / cell_rows);
      const int64_t cells = cell_row * cell_columns * channels;
      scale_one_row({width, width / cell_columns, channels, scales + cells, shifts + cells},
                    from + i * width * channels, to + i * width * channels);
    }
  });
}

}  // namespace

bool is_for(const at::Tensor& map) {
  return map.is_cpu() && map.dim() == 4 && map.numel() > 0 &&
         (map.scalar_type() == at::kFloat || map.scalar_type() == at::kBFloat16) &&
         map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

GroupStatistics group_statistics(const at::Tensor& map, int64_t groups, double eps) {
  TORCH_INTERNAL_ASSERT(is_for(map) && map.size(1) % groups == 0);
  return map.scalar_type() == at::kFloat
             ? statistics(static_cast<const float*>(map.data_ptr()), map, groups, eps)
             : statistics(static_cast<const Half*>(map.data_ptr()), map, groups, eps);
}

at::Tensor scale_and_shift(const at::Tensor& map, const at::Tensor& scale, const at::Tensor& shift,
                           Then then) {
  TORCH_INTERNAL_ASSERT(is_for(map) && scale.is_contiguous() && shift.is_contiguous() &&
                        scale.sizes() == shift.sizes() && scale.dim() == 4 &&
                        scale.size(0) == map.size(0) && scale.size(3) == map.size(1) &&
                        map.size(2) % scale.size(1) == 0 && map.size(3) % scale.size(2) == 0);
  at::Tensor result = at::empty_like(map);
  if (map.scalar_type() == at::kFloat) {
    const FloatRow row = then == Then::kSilu ? scale_floats_silu : scale_floats;
    scale_map<float>(map, scale, shift, result, row);
  } else {
    const HalfRow row = then == Then::kSilu ? scale_halves_silu : scale_halves;
    scale_map<Half>(map, scale, shift, result, row);
  }
  return result;
}

}  // namespace kandinsky::nn::kernels
