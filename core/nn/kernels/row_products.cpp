#include "nn/kernels/row_products.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <cstddef>

#include "tensor/device.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define KANDINSKY_HAS_AVX2 1
#include <immintrin.h>
#else
#define KANDINSKY_HAS_AVX2 0
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace kandinsky::nn::kernels {

#if KANDINSKY_HAS_AVX2

namespace {

#define KANDINSKY_AVX2 __attribute__((target("avx2,fma,f16c")))
#define KANDINSKY_AVX2_INLINE __attribute__((target("avx2,fma,f16c"), always_inline)) inline

/// 16-bit floats in memory format.
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

constexpr int64_t kLanes = 8;

KANDINSKY_AVX2_INLINE __m256 load(const float* from) { return _mm256_loadu_ps(from); }
KANDINSKY_AVX2_INLINE __m256 load(const Half* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KANDINSKY_AVX2_INLINE __m256 load(const BFloat* from) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

KANDINSKY_AVX2_INLINE __m256 load(const int8_t* from) {
  return _mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

KANDINSKY_AVX2_INLINE float to_float(float x) { return x; }
KANDINSKY_AVX2_INLINE float to_float(Half x) { return _cvtsh_ss(x.bits); }
KANDINSKY_AVX2_INLINE float to_float(BFloat x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16U);
}

KANDINSKY_AVX2_INLINE float to_float(int8_t x) { return x; }

KANDINSKY_AVX2_INLINE float sum_of(__m256 x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// Operands and result of a product. Rows are `width` elements apart, rows of the result `outputs`.
template <typename Number>
struct Operands {
  const float* rows;
  const Number* weight;
  const float* scales;  ///< of the matrix's rows, or null
  const float* bias;    ///< or null
  float* result;
  int64_t width;
  int64_t outputs;

  /// The same rows with the matrix's from `first`.
  Operands from(int64_t first) const {
    Operands part = *this;
    part.weight += first * width;
    part.result += first;
    if (part.scales != nullptr) part.scales += first;
    if (part.bias != nullptr) part.bias += first;
    return part;
  }
};

/// kRows rows with kOutputs rows of the matrix, which begin at the operands'.
template <int kRows, int kOutputs, typename Number>
KANDINSKY_AVX2_INLINE void multiply(const Operands<Number>& operands) {
  const int64_t width = operands.width;
  const int64_t even = width - width % kLanes;
  __m256 sums[kRows][kOutputs];
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOutputs; ++o) sums[r][o] = _mm256_setzero_ps();
  }
  for (int64_t k = 0; k < even; k += kLanes) {
    __m256 numbers[kOutputs];
    for (int o = 0; o < kOutputs; ++o) numbers[o] = load(operands.weight + o * width + k);
    for (int r = 0; r < kRows; ++r) {
      const __m256 row = load(operands.rows + r * width + k);
      for (int o = 0; o < kOutputs; ++o) sums[r][o] = _mm256_fmadd_ps(row, numbers[o], sums[r][o]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOutputs; ++o) {
      float sum = sum_of(sums[r][o]);
      for (int64_t k = even; k < width; ++k)
        sum += operands.rows[r * width + k] * to_float(operands.weight[o * width + k]);
      if (operands.scales != nullptr) sum *= operands.scales[o];
      if (operands.bias != nullptr) sum += operands.bias[o];
      operands.result[r * operands.outputs + o] = sum;
    }
  }
}

/// kRows rows with rows of the matrix from `begin` to `end`.
template <int kRows, int kOutputs, typename Number>
KANDINSKY_AVX2 void multiply_all(const Operands<Number>& operands, int64_t count) {
  int64_t first = 0;
  for (; first + kOutputs <= count; first += kOutputs)
    multiply<kRows, kOutputs>(operands.from(first));
  for (; first < count; ++first) multiply<kRows, 1>(operands.from(first));
}

/// Maximum rows at a time: their sums and those of kOutputs fill the registers.
constexpr int64_t kMostRows = 6;

template <typename Number>
void multiply_rows(int64_t rows, const Operands<Number>& operands, int64_t count) {
  switch (rows) {
    case 1:
      return multiply_all<1, 8>(operands, count);
    case 2:
      return multiply_all<2, 4>(operands, count);
    case 3:
      return multiply_all<3, 4>(operands, count);
    case 4:
      return multiply_all<4, 2>(operands, count);
    case 5:
      return multiply_all<5, 2>(operands, count);
    default:
      return multiply_all<6, 2>(operands, count);
  }
}

template <typename Number>
KANDINSKY_AVX2 void widen(const Number* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) _mm256_storeu_ps(to + i, load(from + i));
  for (; i < count; ++i) to[i] = to_float(from[i]);
}

/// Rows of the matrix that are widened once for all rows of x: they fit into a core's own cache.
constexpr int64_t kWidenedNumbers = int64_t{1} << 16;
/// Rows of x with these: few enough for the innermost cache.
constexpr int64_t kRowsWithWidened = 3;

/// All rows with `count` rows of the matrix.
template <typename Number>
void multiply_part(int64_t rows, const Operands<Number>& operands, int64_t count) {
  if (rows <= kMostRows) return multiply_rows(rows, operands, count);
  const int64_t at_once = std::max<int64_t>(4, kWidenedNumbers / operands.width / 4 * 4);
  std::vector<float> widened(static_cast<size_t>(std::min(at_once, count) * operands.width));
  for (int64_t first = 0; first < count; first += at_once) {
    const int64_t outputs = std::min(at_once, count - first);
    const Operands<Number> rest = operands.from(first);
    widen(rest.weight, outputs * operands.width, widened.data());
    for (int64_t row = 0; row < rows; row += kRowsWithWidened) {
      const Operands<float> part{.rows = operands.rows + row * operands.width,
                                 .weight = widened.data(),
                                 .scales = rest.scales,
                                 .bias = rest.bias,
                                 .result = rest.result + row * operands.outputs,
                                 .width = operands.width,
                                 .outputs = operands.outputs};
      multiply_rows(std::min(kRowsWithWidened, rows - row), part, outputs);
    }
  }
}

const float* numbers_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

template <typename Number>
void multiply_whole(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const at::Tensor& scales, const at::Tensor& result) {
  const int64_t width = weight.size(1);
  const int64_t outputs = weight.size(0);
  const Operands<Number> whole{.rows = x.const_data_ptr<float>(),
                               .weight = static_cast<const Number*>(weight.const_data_ptr()),
                               .scales = numbers_of(scales),
                               .bias = numbers_of(bias),
                               .result = result.mutable_data_ptr<float>(),
                               .width = width,
                               .outputs = outputs};
  // A thread's rows of the matrix follow one another in memory.
  constexpr int64_t kFewestOutputs = 64;
  at::parallel_for(0, outputs, kFewestOutputs, [&](int64_t begin, int64_t end) {
    multiply_part(x.size(0), whole.from(begin), end - begin);
  });
}

}  // namespace

bool has_row_products() {
  static const bool has = __builtin_cpu_supports("avx2") != 0 &&
                          __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("f16c") != 0;
  return has;
}

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& scales) {
  TORCH_INTERNAL_ASSERT(x.scalar_type() == at::kFloat && x.size(-1) == weight.size(1) &&
                        weight.is_contiguous());
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  const at::Tensor rows = x.reshape({-1, x.size(-1)}).contiguous();
  const at::Tensor result = at::empty({rows.size(0), weight.size(0)}, rows.options());
  switch (weight.scalar_type()) {
    case at::kHalf:
      multiply_whole<Half>(rows, weight, bias, scales, result);
      break;
    case at::kBFloat16:
      multiply_whole<BFloat>(rows, weight, bias, scales, result);
      break;
    case at::kChar:
      multiply_whole<int8_t>(rows, weight, bias, scales, result);
      break;
    default:
      TORCH_INTERNAL_ASSERT(weight.scalar_type() == at::kFloat);
      multiply_whole<float>(rows, weight, bias, scales, result);
  }
  return result.view(shape);
}

#else

bool has_row_products() { return false; }

at::Tensor row_products(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                        const at::Tensor& /*bias*/, const at::Tensor& /*scales*/) {
  TORCH_INTERNAL_ASSERT(false, "has_row_products() says no");
  return {};
}

#endif

bool keeps_stored_matrices(const tensor::Placement& placement) {
  return placement.few_rows && !placement.int8_weights && placement.speedups.stored_matrices &&
         placement.device.is_cpu() && placement.dtype == at::kFloat && has_row_products();
}

}  // namespace kandinsky::nn::kernels
