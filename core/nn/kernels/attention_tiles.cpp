#include "nn/kernels/attention_tiles.h"

#if defined(__x86_64__) && ((defined(__clang__) && __clang_major__ >= 9) || \
                            (!defined(__clang__) && defined(__GNUC__) && __GNUC__ >= 10))
#define KANDINSKY_HAS_BF16_DOTS 1
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#else
#define KANDINSKY_HAS_BF16_DOTS 0
#include <stdexcept>
#endif

#include <cstdint>

namespace kandinsky::nn::kernels::tiles {

#if KANDINSKY_HAS_BF16_DOTS

namespace {

#define KANDINSKY_BF16_DOTS \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#define KANDINSKY_BF16_DOTS_INLINE \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma"), always_inline)) inline

/// A weight of more than 2^this changes the peak.
constexpr float kMostAbove = 60.0F;
/// Sums of weights that may contain such a weight.
constexpr float kLargeSum = 0x1p59F;
/// Stands for a score without weight. Finite: its differences are numbers.
constexpr float kLeastScore = -1e30F;

/// Sums of products of a group's rows with the two vectors of a panel's columns.
using Sums = __m512[kRows][2];

/// A vector of pairs.
KANDINSKY_BF16_DOTS_INLINE __m512bh pairs_at(const uint32_t* from) {
  return (__m512bh)_mm512_loadu_si512(from);
}

/// 2^x, to 1e-4 of it: a twentieth of the rounding of bf16.
KANDINSKY_BF16_DOTS_INLINE __m512 power_of_two(__m512 x) {
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 power = _mm512_set1_ps(5.51716637e-2F);
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.242611122F));
  // Near ln 2, as this short a series needs it.
  // NOLINTNEXTLINE(modernize-use-std-numbers)
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.693260986F));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(0.999928074F));
  return _mm512_scalef_ps(power, whole);
}

/// The weights of two vectors of a row's scores, in bf16. Their sum is added to `sum`: as they
/// are rounded, so that a single large one becomes a share of 1.
KANDINSKY_BF16_DOTS_INLINE __m512i weights_of(__m512 left, __m512 right, __m512 scale, float peak,
                                              float* sum) {
  const __m512 peaks = _mm512_set1_ps(peak);
  const __m512bh weights = _mm512_cvtne2ps_pbh(power_of_two(_mm512_fmsub_ps(right, scale, peaks)),
                                               power_of_two(_mm512_fmsub_ps(left, scale, peaks)));
  const auto ones = (__m512bh)_mm512_set1_epi16(0x3F80);
  _mm512_store_ps(sum, _mm512_dpbf16_ps(_mm512_load_ps(sum), weights, ones));
  return (__m512i)weights;
}

/// sums += rows x panel. The rows' pairs are kRowStep apart from one row to the next, and
/// kPairStep from one pair to the next.
template <int64_t kRowStep, int64_t kPairStep>
KANDINSKY_BF16_DOTS_INLINE void add_products(const uint32_t* rows, const PanelRow* panel,
                                             int64_t pairs, Sums& sums) {
  for (int64_t pair = 0; pair < pairs; ++pair, ++panel, rows += kPairStep) {
    const __m512bh left = pairs_at(panel->words);
    const __m512bh right = pairs_at(panel->words + kVector);
    for (int64_t row = 0; row < kRows; ++row) {
      const auto both = (__m512bh)_mm512_set1_epi32(static_cast<int>(rows[row * kRowStep]));
      sums[row][0] = _mm512_dpbf16_ps(sums[row][0], both, left);
      sums[row][1] = _mm512_dpbf16_ps(sums[row][1], both, right);
    }
  }
}

/// The scores of a panel of keys, of which `count` exist. The others get the least score.
KANDINSKY_BF16_DOTS_INLINE void score(const QueryGroup& group, const PackedHead& head,
                                      int64_t first_key, int64_t count, Sums& sums) {
  const int64_t pairs = head.size / 2;
  for (auto& row : sums) row[0] = row[1] = _mm512_setzero_ps();
  add_products<1, kRows>(group.queries, head.keys + first_key / kColumns * pairs, pairs, sums);
  if (count >= kColumns) return;
  const __m512 least = _mm512_set1_ps(kLeastScore);
  const uint32_t exist = (1U << static_cast<uint32_t>(count)) - 1U;
  for (auto& row : sums) {
    row[0] = _mm512_mask_mov_ps(least, static_cast<__mmask16>(exist), row[0]);
    row[1] = _mm512_mask_mov_ps(least, static_cast<__mmask16>(exist >> 16U), row[1]);
  }
}

/// The weights of a tile's keys, as bf16 in the tile, with the peaks as they are. Returns whether
/// some are so large that peaks must change.
KANDINSKY_BF16_DOTS_INLINE bool weigh(const QueryGroup& group, const PackedHead& head,
                                      int64_t first_key, int64_t count, float scale,
                                      ScoreTile& tile, Vector* added) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t row = 0; row < kRows; ++row) added[row] = {};
  for (int64_t key = 0; key < count; key += kColumns) {
    Sums sums;
    score(group, head, first_key + key, count - key, sums);
    if (first_key + key == 0) {
#pragma GCC unroll 12
      for (int64_t row = 0; row < kRows; ++row)
        group.peaks->lanes[row] =
            scale * _mm512_reduce_max_ps(_mm512_max_ps(sums[row][0], sums[row][1]));
    }
#pragma GCC unroll 12
    for (int64_t row = 0; row < kRows; ++row) {
      const __m512i weights =
          weights_of(sums[row][0], sums[row][1], factor, group.peaks->lanes[row], added[row].lanes);
      _mm512_store_si512(tile.weights[row] + key / 2, weights);
    }
  }
  __mmask16 large = 0;
  for (int64_t row = 0; row < kRows; ++row) {
    large |=
        _mm512_cmp_ps_mask(_mm512_load_ps(added[row].lanes), _mm512_set1_ps(kLargeSum), _CMP_GT_OQ);
  }
  return large != 0;
}

/// The same with new peaks for rows that need them. Other rows get the same weights as before.
/// factors: by what everything before must be multiplied, a lane for each row.
KANDINSKY_BF16_DOTS_INLINE void weigh_anew(const QueryGroup& group, const PackedHead& head,
                                           int64_t first_key, int64_t count, float scale,
                                           ScoreTile& tile, Vector* added, Vector& factors) {
  for (int64_t key = 0; key < count; key += kColumns) {
    Sums sums;
    score(group, head, first_key + key, count - key, sums);
    for (int64_t row = 0; row < kRows; ++row) {
      _mm512_store_ps(tile.scores[row] + key, sums[row][0]);
      _mm512_store_ps(tile.scores[row] + key + kVector, sums[row][1]);
    }
  }
  const int64_t end = rounded_up(count, kColumns);
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t row = 0; row < kRows; ++row) {
    const uint32_t* const scores = tile.scores[row];
    __m512 largest = _mm512_load_ps(scores);
    for (int64_t key = kVector; key < end; key += kVector)
      largest = _mm512_max_ps(largest, _mm512_load_ps(scores + key));
    const float top = scale * _mm512_reduce_max_ps(largest);
    float& peak = group.peaks->lanes[row];
    factors.lanes[row] = 1.0F;
    if (top - peak > kMostAbove) {
      factors.lanes[row] = std::exp2(peak - top);
      peak = top;
    }
    added[row] = {};
    for (int64_t key = 0; key < end; key += kColumns) {
      const __m512i weights =
          weights_of(_mm512_load_ps(scores + key), _mm512_load_ps(scores + key + kVector), factor,
                     peak, added[row].lanes);
      _mm512_store_si512(tile.weights[row] + key / 2, weights);
    }
  }
}

KANDINSKY_BF16_DOTS_INLINE void scale_at(void* numbers, __m512 factor) {
  _mm512_store_ps(numbers, _mm512_mul_ps(_mm512_load_ps(numbers), factor));
}

/// Multiplies everything before.
KANDINSKY_BF16_DOTS_INLINE void scale_by(const QueryGroup& group, int64_t size,
                                         const Vector& factors) {
  for (int64_t row = 0; row < kRows; ++row) {
    const __m512 factor = _mm512_set1_ps(factors.lanes[row]);
    scale_at(group.sums[row].lanes, factor);
    for (int64_t panel = 0; panel < size / kColumns; ++panel) {
      uint32_t* const mixed = group.mixed[panel * kRows + row].words;
      scale_at(mixed, factor);
      scale_at(mixed + kVector, factor);
    }
  }
}

/// mixed + weights x values
KANDINSKY_BF16_DOTS_INLINE void mix(const QueryGroup& group, const PackedHead& head,
                                    int64_t first_key, int64_t count, const ScoreTile& tile) {
  const int64_t pairs = rounded_up(count, kColumns) / 2;
  for (int64_t panel = 0; panel < head.size / kColumns; ++panel) {
    PanelRow* const mixed = group.mixed + panel * kRows;
    Sums sums;
    for (int64_t row = 0; row < kRows; ++row) {
      sums[row][0] = _mm512_load_ps(mixed[row].words);
      sums[row][1] = _mm512_load_ps(mixed[row].words + kVector);
    }
    add_products<kKeys / 2, 1>(
        tile.weights[0], head.values + panel * head.pairs_of_keys() + first_key / 2, pairs, sums);
    for (int64_t row = 0; row < kRows; ++row) {
      _mm512_store_ps(mixed[row].words, sums[row][0]);
      _mm512_store_ps(mixed[row].words + kVector, sums[row][1]);
    }
  }
}

/// A matrix of words as rows in registers, transposed.
KANDINSKY_BF16_DOTS_INLINE void transpose(__m512i (&rows)[kVector]) {
  __m512i twos[kVector];
  for (size_t i = 0; i < 8; ++i) {
    twos[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    twos[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
  // Of rows 4i to 4i + 3, the columns j, j + 4, j + 8 and j + 12.
  __m512i fours[kVector];
  for (size_t i = 0; i < 4; ++i) {
    fours[4 * i] = _mm512_unpacklo_epi64(twos[4 * i], twos[4 * i + 2]);
    fours[4 * i + 1] = _mm512_unpackhi_epi64(twos[4 * i], twos[4 * i + 2]);
    fours[4 * i + 2] = _mm512_unpacklo_epi64(twos[4 * i + 1], twos[4 * i + 3]);
    fours[4 * i + 3] = _mm512_unpackhi_epi64(twos[4 * i + 1], twos[4 * i + 3]);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512i low_of_upper = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0x44);
    const __m512i high_of_upper = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0xEE);
    const __m512i low_of_lower = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0x44);
    const __m512i high_of_lower = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0xEE);
    rows[j] = _mm512_shuffle_i32x4(low_of_upper, low_of_lower, 0x88);
    rows[4 + j] = _mm512_shuffle_i32x4(low_of_upper, low_of_lower, 0xDD);
    rows[8 + j] = _mm512_shuffle_i32x4(high_of_upper, high_of_lower, 0x88);
    rows[12 + j] = _mm512_shuffle_i32x4(high_of_upper, high_of_lower, 0xDD);
  }
}

KANDINSKY_BF16_DOTS_INLINE __m512i elements_at(const HeadRows& from, int64_t row, int64_t first) {
  const int64_t rest = from.size - first;
  if (from.rows[row] == nullptr || rest <= 0) return _mm512_setzero_si512();
  if (rest >= kColumns) return _mm512_loadu_si512(from.rows[row] + first);
  return _mm512_maskz_loadu_epi16((1U << static_cast<uint32_t>(rest)) - 1U, from.rows[row] + first);
}

}  // namespace

bool are_supported() {
  static const bool are =
      __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return are;
}

KANDINSKY_BF16_DOTS void pack_columns(const HeadRows& from, int64_t width, int64_t size,
                                      uint32_t* to) {
  for (int64_t column = 0; column < width; column += kVector) {
    const int64_t count = std::min(kVector, width - column);
    const auto mask = static_cast<__mmask16>((1U << static_cast<uint32_t>(count)) - 1U);
    for (int64_t first = 0; first < size; first += kColumns) {
      __m512i words[kVector];
      for (int64_t row = 0; row < kVector; ++row)
        words[row] = row < count ? elements_at(from, column + row, first) : _mm512_setzero_si512();
      transpose(words);
      for (int64_t i = 0; i < kVector; ++i)
        _mm512_mask_storeu_epi32(to + (first / 2 + i) * width + column, mask, words[i]);
    }
  }
}

KANDINSKY_BF16_DOTS void pack_values(const HeadRows& from, int64_t size, int64_t panel_rows,
                                     PanelRow* to) {
  alignas(64) static constexpr std::array<uint16_t, 64> kOrder = [] {
    std::array<uint16_t, 64> order{};
    for (size_t i = 0; i < 32; ++i) {
      order[2 * i] = static_cast<uint16_t>(i);
      order[2 * i + 1] = static_cast<uint16_t>(32 + i);
    }
    return order;
  }();
  const __m512i lower = _mm512_load_si512(kOrder.data());
  const __m512i upper = _mm512_load_si512(kOrder.data() + 32);
  for (int64_t first = 0; first < size; first += kColumns) {
    PanelRow* const panel = to + first / kColumns * panel_rows;
    for (int64_t pair = 0; pair < kVector; ++pair) {
      const __m512i even = elements_at(from, 2 * pair, first);
      const __m512i odd = elements_at(from, 2 * pair + 1, first);
      _mm512_store_si512(panel[pair].words, _mm512_permutex2var_epi16(even, lower, odd));
      _mm512_store_si512(panel[pair].words + kVector, _mm512_permutex2var_epi16(even, upper, odd));
    }
  }
}

KANDINSKY_BF16_DOTS void attend(const QueryGroup& group, const PackedHead& head, int64_t first_key,
                                float scale, ScoreTile& scratch) {
  const int64_t count = std::min(kKeys, head.count - first_key);
  Vector added[kRows];
  if (weigh(group, head, first_key, count, scale, scratch, added)) {
    Vector factors{};
    weigh_anew(group, head, first_key, count, scale, scratch, added, factors);
    scale_by(group, head.size, factors);
  }
  for (int64_t row = 0; row < kRows; ++row) {
    float* const sum = group.sums[row].lanes;
    _mm512_store_ps(sum, _mm512_add_ps(_mm512_load_ps(sum), _mm512_load_ps(added[row].lanes)));
  }
  mix(group, head, first_key, count, scratch);
}

KANDINSKY_BF16_DOTS void write_mixed(const QueryGroup& group, int64_t rows, int64_t size,
                                     uint16_t* to, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) {
    const __m512 share =
        _mm512_set1_ps(1.0F / _mm512_reduce_add_ps(_mm512_load_ps(group.sums[row].lanes)));
    for (int64_t first = 0; first < size; first += kColumns) {
      const uint32_t* const mixed = group.mixed[first / kColumns * kRows + row].words;
      const auto numbers =
          (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(_mm512_load_ps(mixed + kVector), share),
                                       _mm512_mul_ps(_mm512_load_ps(mixed), share));
      const int64_t rest = std::min(kColumns, size - first);
      const uint32_t mask = rest == kColumns ? ~0U : (1U << static_cast<uint32_t>(rest)) - 1U;
      _mm512_mask_storeu_epi16(to + row * stride + first, mask, numbers);
    }
  }
}

#else

bool are_supported() { return false; }

namespace {

[[noreturn]] void refuse() { throw std::logic_error("tiles::are_supported() says no"); }

}  // namespace

void pack_columns(const HeadRows& /*from*/, int64_t /*width*/, int64_t /*size*/, uint32_t* /*to*/) {
  refuse();
}

void pack_values(const HeadRows& /*from*/, int64_t /*size*/, int64_t /*panel_rows*/,
                 PanelRow* /*to*/) {
  refuse();
}

void attend(const QueryGroup& /*group*/, const PackedHead& /*head*/, int64_t /*first_key*/,
            float /*scale*/, ScoreTile& /*scratch*/) {
  refuse();
}

void write_mixed(const QueryGroup& /*group*/, int64_t /*rows*/, int64_t /*size*/, uint16_t* /*to*/,
                 int64_t /*stride*/) {
  refuse();
}

#endif

}  // namespace kandinsky::nn::kernels::tiles
