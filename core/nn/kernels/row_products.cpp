#include "nn/kernels/row_products.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
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
#include <array>
#include <cstdint>
#include <vector>

namespace kandinsky::nn::kernels {

#if KANDINSKY_HAS_AVX2

namespace {

/// 16-bit floats in memory format.
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

/// Operands and result of a product. Rows are `width` elements apart, rows of the result `outputs`.
/// kIsCached: whether the matrix is in the core's own cache.
template <typename Number, bool kIsCached = false>
struct Operands {
  const float* rows;
  const Number* weight;
  const float* bias;  ///< or null
  float* result;
  int64_t width;
  int64_t outputs;

  /// The same rows with the matrix's from `first`.
  Operands from(int64_t first) const {
    Operands part = *this;
    part.weight += first * width;
    part.result += first;
    if (part.bias != nullptr) part.bias += first;
    return part;
  }
};

/// Rows of the matrix that are widened once for all rows of x: they fit into a core's own cache.
constexpr int64_t kWidenedNumbers = int64_t{1} << 16;
/// Maximum rows at a time: their sums and those of some rows of the matrix fill the registers.
constexpr int64_t kMostRows = 6;

namespace avx2 {

#define KANDINSKY_ROW_LOOP __attribute__((target("avx2,fma,f16c")))
#define KANDINSKY_ROW_INLINE __attribute__((target("avx2,fma,f16c"), always_inline)) inline

using Vector = __m256;

KANDINSKY_ROW_INLINE Vector load(const float* from) { return _mm256_loadu_ps(from); }
KANDINSKY_ROW_INLINE Vector load(const Half* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
KANDINSKY_ROW_INLINE Vector load(const BFloat* from) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
KANDINSKY_ROW_INLINE void save(float* to, Vector x) { _mm256_storeu_ps(to, x); }
KANDINSKY_ROW_INLINE Vector zero() { return _mm256_setzero_ps(); }
KANDINSKY_ROW_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) {
  return _mm256_fmadd_ps(a, b, sum);
}
KANDINSKY_ROW_INLINE float sum_of(Vector x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// Rows of the matrix for 1 to kMostRows rows of x: as many as 16 registers hold the sums of.
constexpr std::array kOutputs{8, 4, 4, 2, 2, 2};
/// Rows of x with widened ones: few enough for the innermost cache.
constexpr int64_t kRowsWithWidened = 3;

#include "nn/kernels/row_loops.inc"

#undef KANDINSKY_ROW_LOOP
#undef KANDINSKY_ROW_INLINE

}  // namespace avx2

// GCC 12 takes the undefined registers that its own AVX-512 functions begin with for a mistake.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace avx512 {

#define KANDINSKY_ROW_LOOP __attribute__((target("avx512f,fma,f16c")))
#define KANDINSKY_ROW_INLINE __attribute__((target("avx512f,fma,f16c"), always_inline)) inline

using Vector = __m512;

KANDINSKY_ROW_INLINE Vector load(const float* from) { return _mm512_loadu_ps(from); }
KANDINSKY_ROW_INLINE Vector load(const Half* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
KANDINSKY_ROW_INLINE Vector load(const BFloat* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
KANDINSKY_ROW_INLINE void save(float* to, Vector x) { _mm512_storeu_ps(to, x); }
KANDINSKY_ROW_INLINE Vector zero() { return _mm512_setzero_ps(); }
KANDINSKY_ROW_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) {
  return _mm512_fmadd_ps(a, b, sum);
}
KANDINSKY_ROW_INLINE float sum_of(Vector x) { return _mm512_reduce_add_ps(x); }

/// The same for 32 registers.
constexpr std::array kOutputs{8, 8, 6, 4, 4, 4};
/// More, since these vectors wait for the next cache otherwise.
constexpr int64_t kRowsWithWidened = 6;

#include "nn/kernels/row_loops.inc"

#undef KANDINSKY_ROW_LOOP
#undef KANDINSKY_ROW_INLINE

}  // namespace avx512

#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <typename Number>
void multiply_whole(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    RowVectors vectors, const at::Tensor& result) {
  const int64_t width = weight.size(1);
  const int64_t outputs = weight.size(0);
  const Operands<Number> whole{.rows = x.const_data_ptr<float>(),
                               .weight = static_cast<const Number*>(weight.const_data_ptr()),
                               .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                               .result = result.mutable_data_ptr<float>(),
                               .width = width,
                               .outputs = outputs};
  // A thread's rows of the matrix follow one another in memory.
  constexpr int64_t kFewestOutputs = 64;
  at::parallel_for(0, outputs, kFewestOutputs, [&](int64_t begin, int64_t end) {
    const Operands<Number> part = whole.from(begin);
    if (vectors == RowVectors::kAvx512) {
      avx512::multiply_part(x.size(0), part, end - begin);
    } else {
      avx2::multiply_part(x.size(0), part, end - begin);
    }
  });
}

}  // namespace

bool has_row_products() {
  static const bool has = __builtin_cpu_supports("avx2") != 0 &&
                          __builtin_cpu_supports("fma") != 0 && __builtin_cpu_supports("f16c") != 0;
  return has;
}

RowVectors widest_row_vectors() {
  static const bool has_avx512 = at::get_cpu_capability() == "AVX512";
  return has_avx512 ? RowVectors::kAvx512 : RowVectors::kAvx2;
}

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        RowVectors vectors) {
  TORCH_INTERNAL_ASSERT(x.scalar_type() == at::kFloat && x.size(-1) == weight.size(1) &&
                        weight.is_contiguous());
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  const at::Tensor rows = x.reshape({-1, x.size(-1)}).contiguous();
  const at::Tensor result = at::empty({rows.size(0), weight.size(0)}, rows.options());
  switch (weight.scalar_type()) {
    case at::kHalf:
      multiply_whole<Half>(rows, weight, bias, vectors, result);
      break;
    case at::kBFloat16:
      multiply_whole<BFloat>(rows, weight, bias, vectors, result);
      break;
    default:
      TORCH_INTERNAL_ASSERT(weight.scalar_type() == at::kFloat);
      multiply_whole<float>(rows, weight, bias, vectors, result);
  }
  return result.view(shape);
}

#else

bool has_row_products() { return false; }

RowVectors widest_row_vectors() { return RowVectors::kAvx2; }

at::Tensor row_products(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                        const at::Tensor& /*bias*/, RowVectors /*vectors*/) {
  TORCH_INTERNAL_ASSERT(false, "has_row_products() says no");
  return {};
}

#endif

bool keeps_stored_matrices(const tensor::Placement& placement) {
  return placement.few_rows && !placement.int8_weights && placement.speedups.stored_matrices &&
         placement.device.is_cpu() && placement.dtype == at::kFloat && has_row_products();
}

}  // namespace kandinsky::nn::kernels
