#include "nn/kernels/int8_products.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define KANDINSKY_HAS_INT8_LOOPS 1
#include <immintrin.h>
#else
#define KANDINSKY_HAS_INT8_LOOPS 0
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/cpu.h"

namespace kandinsky::nn::kernels {

#if KANDINSKY_HAS_INT8_LOOPS

namespace {

/// Of a rounded element of x.
constexpr int32_t kLargest = std::numeric_limits<int16_t>::max();
/// Products that a lane of the narrowest vector adds before its sum might not fit into 32 bits.
constexpr int64_t kWidthAtOnce = 4096;
constexpr int64_t kFewestLanes = 8;
static_assert(kWidthAtOnce / kFewestLanes * kLargest * 128 <=
              int64_t{std::numeric_limits<int32_t>::max()} + 1);
/// Maximum rows at a time: their sums and those of some rows of the matrix fill the registers.
constexpr int64_t kRowsAtOnce = 6;
/// Numbers of the matrix that all rows are multiplied with, while they are in the core's own cache.
constexpr int64_t kNumbersAtOnce = int64_t{1} << 17;
/// Rows in memory are as long as a multiple of the widest vector.
constexpr int64_t kWidest = 32;

/// Up to kRowsAtOnce rounded rows of x with rows of the matrix.
struct Part {
  const int16_t* rows;
  int64_t row_step;
  const int8_t* weight;
  int64_t width;
  int64_t outputs;  ///< rows of the matrix
  int64_t* totals;  ///< [rows, outputs]
};

namespace dots_of_avx2 {

#define KANDINSKY_INT8_LOOP __attribute__((target("avx2")))
#define KANDINSKY_INT8_INLINE __attribute__((target("avx2"), always_inline)) inline

using Vector = __m256i;
using Sums = __v8si;

KANDINSKY_INT8_INLINE Vector load(const int16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
KANDINSKY_INT8_INLINE Vector widened(const int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KANDINSKY_INT8_INLINE Sums add_products(Sums sums, Vector a, Vector b) {
  return sums + (Sums)_mm256_madd_epi16(a, b);
}
KANDINSKY_INT8_INLINE int64_t sum_of(Sums sums) {
  const auto x = (__m256i)sums;
  const __m256i four = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(x)),
                                        _mm256_cvtepi32_epi64(_mm256_extracti128_si256(x, 1)));
  const __m128i two =
      _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  return _mm_cvtsi128_si64(two) + _mm_extract_epi64(two, 1);
}

/// Rows of the matrix for 1 to kRowsAtOnce rows of x: as many as 16 registers hold the sums of.
constexpr std::array kOutputs{8, 4, 4, 2, 2, 2};

#include "nn/kernels/int8_loops.inc"

#undef KANDINSKY_INT8_LOOP
#undef KANDINSKY_INT8_INLINE

}  // namespace dots_of_avx2

namespace dots_of_avx_vnni {

#define KANDINSKY_INT8_LOOP __attribute__((target("avx2,avxvnni")))
#define KANDINSKY_INT8_INLINE __attribute__((target("avx2,avxvnni"), always_inline)) inline

using dots_of_avx2::kOutputs;
using dots_of_avx2::load;
using dots_of_avx2::sum_of;
using dots_of_avx2::Sums;
using dots_of_avx2::Vector;
using dots_of_avx2::widened;

KANDINSKY_INT8_INLINE Sums add_products(Sums sums, Vector a, Vector b) {
  return (Sums)_mm256_dpwssd_avx_epi32((__m256i)sums, a, b);
}

#include "nn/kernels/int8_loops.inc"

#undef KANDINSKY_INT8_LOOP
#undef KANDINSKY_INT8_INLINE

}  // namespace dots_of_avx_vnni

// GCC 12 takes the undefined registers that its own AVX-512 functions begin with for a mistake.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace dots_of_avx512_vnni {

#define KANDINSKY_INT8_LOOP __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define KANDINSKY_INT8_INLINE \
  __attribute__((target("avx512f,avx512bw,avx512vnni"), always_inline)) inline

using Vector = __m512i;
using Sums = __v16si;

KANDINSKY_INT8_INLINE Vector load(const int16_t* from) { return _mm512_loadu_si512(from); }
KANDINSKY_INT8_INLINE Vector widened(const int8_t* from) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KANDINSKY_INT8_INLINE Sums add_products(Sums sums, Vector a, Vector b) {
  return (Sums)_mm512_dpwssd_epi32((__m512i)sums, a, b);
}
KANDINSKY_INT8_INLINE int64_t sum_of(Sums sums) {
  const auto x = (__m512i)sums;
  return _mm512_reduce_add_epi64(
      _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(x)),
                       _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(x, 1))));
}

/// The same for 32 registers.
constexpr std::array kOutputs{8, 8, 6, 4, 4, 4};

#include "nn/kernels/int8_loops.inc"

#undef KANDINSKY_INT8_LOOP
#undef KANDINSKY_INT8_INLINE

}  // namespace dots_of_avx512_vnni

#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

void multiply_part(int64_t rows, const Part& part, IntegerDots dots) {
  switch (dots) {
    case IntegerDots::kAvx2:
      return dots_of_avx2::multiply_part(rows, part);
    case IntegerDots::kAvxVnni:
      return dots_of_avx_vnni::multiply_part(rows, part);
    case IntegerDots::kAvx512Vnni:
      return dots_of_avx512_vnni::multiply_part(rows, part);
  }
}

/// Rows in 16 bits, each with its own scale, and zeros to their ends.
class RoundedRows {
 public:
  explicit RoundedRows(const at::Tensor& x)
      : step_((x.size(1) + kWidest - 1) / kWidest * kWidest),
        numbers_(static_cast<size_t>(x.size(0) * step_)),
        scales_(static_cast<size_t>(x.size(0))) {
    constexpr int64_t kFewestNumbers = int64_t{1} << 15;
    const auto* const from = x.const_data_ptr<float>();
    const int64_t width = x.size(1);
    at::parallel_for(0, x.size(0), kFewestNumbers / step_ + 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) round(row, from + row * width, width);
    });
  }

  const int16_t* row(int64_t index) const { return numbers_.data() + index * step_; }
  int64_t step() const { return step_; }
  float scale(int64_t index) const { return scales_[static_cast<size_t>(index)]; }

 private:
  void round(int64_t row, const float* from, int64_t width) {
    // As integers the sizes of floats have the same order, with those that are not finite last.
    int32_t largest_bits = 0;
    for (int64_t i = 0; i < width; ++i)
      largest_bits = std::max(largest_bits, std::bit_cast<int32_t>(from[i]) & 0x7FFFFFFF);
    const float largest = std::bit_cast<float>(largest_bits);
    // Of smaller ones the factor might be infinite.
    constexpr float kSmallest = 1e-34F;
    const bool has_numbers = largest >= kSmallest;
    const float factor = has_numbers ? static_cast<float>(kLargest) / largest : 0.0F;
    // The sum's last bits are the rounded number.
    constexpr float kRounds = 0x1.8p23F;
    int16_t* const to = numbers_.data() + row * step_;
    for (int64_t i = 0; i < width; ++i)
      to[i] = static_cast<int16_t>(std::bit_cast<int32_t>(from[i] * factor + kRounds));
    scales_[static_cast<size_t>(row)] = largest / static_cast<float>(kLargest);
  }

  int64_t step_;
  std::vector<int16_t> numbers_;
  std::vector<float> scales_;
};

}  // namespace

const std::vector<IntegerDots>& integer_dots() {
  static const std::vector<IntegerDots> all = [] {
    std::vector<IntegerDots> dots;
    if (__builtin_cpu_supports("avx2") != 0) dots.push_back(IntegerDots::kAvx2);
    if (!dots.empty() && tensor::has_avx_vnni()) dots.push_back(IntegerDots::kAvxVnni);
    if (at::get_cpu_capability() == "AVX512" && __builtin_cpu_supports("avx512vnni") != 0)
      dots.push_back(IntegerDots::kAvx512Vnni);
    return dots;
  }();
  return all;
}

at::Tensor int8_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scales,
                         const at::Tensor& bias, IntegerDots dots) {
  TORCH_INTERNAL_ASSERT(x.scalar_type() == at::kFloat && weight.scalar_type() == at::kChar &&
                        x.size(-1) == weight.size(1) && weight.is_contiguous() &&
                        scales.numel() == weight.size(0) &&
                        std::ranges::count(integer_dots(), dots) == 1);
  const int64_t width = weight.size(1);
  const int64_t outputs = weight.size(0);
  const at::Tensor flat = x.reshape({-1, width}).contiguous();
  const RoundedRows rows(flat);
  const at::Tensor result = at::empty({flat.size(0), outputs}, flat.options());
  const auto* const numbers = weight.const_data_ptr<int8_t>();
  const auto* const factors = scales.const_data_ptr<float>();
  const float* const added = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  // A thread's rows of the matrix follow one another in memory.
  constexpr int64_t kFewestOutputs = 64;
  at::parallel_for(0, outputs, kFewestOutputs, [&](int64_t begin, int64_t end) {
    const int64_t at_once =
        std::max<int64_t>(kFewestLanes, kNumbersAtOnce / width / kFewestLanes * kFewestLanes);
    std::vector<int64_t> totals(static_cast<size_t>(kRowsAtOnce * std::min(at_once, end - begin)));
    for (int64_t first = begin; first < end; first += at_once) {
      const int64_t count = std::min(at_once, end - first);
      for (int64_t row = 0; row < flat.size(0); row += kRowsAtOnce) {
        const int64_t height = std::min(kRowsAtOnce, flat.size(0) - row);
        multiply_part(height,
                      {.rows = rows.row(row),
                       .row_step = rows.step(),
                       .weight = numbers + first * width,
                       .width = width,
                       .outputs = count,
                       .totals = totals.data()},
                      dots);
        for (int64_t r = 0; r < height; ++r) {
          float* const to = result.mutable_data_ptr<float>() + (row + r) * outputs + first;
          const int64_t* const of_row = totals.data() + r * count;
          const float scale = rows.scale(row + r);
          for (int64_t o = 0; o < count; ++o) {
            to[o] = static_cast<float>(of_row[o]) * (scale * factors[first + o]) +
                    (added != nullptr ? added[first + o] : 0.0F);
          }
        }
      }
    }
  });
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = outputs;
  return result.view(shape);
}

#else

const std::vector<IntegerDots>& integer_dots() {
  static const std::vector<IntegerDots> none;
  return none;
}

at::Tensor int8_products(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                         const at::Tensor& /*scales*/, const at::Tensor& /*bias*/,
                         IntegerDots /*dots*/) {
  TORCH_INTERNAL_ASSERT(false, "there are no integer_dots()");
  return {};
}

#endif

}  // namespace kandinsky::nn::kernels
