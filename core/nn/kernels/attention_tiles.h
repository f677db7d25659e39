/// The products and the softmax of tiled_attention.h, with the instructions of AVX512-BF16.
#pragma once

#include <cstdint>

namespace kandinsky::nn::kernels::tiles {

/// Whether this build has the code and this CPU the instructions; otherwise nothing below works.
bool are_supported();

/// Queries of a group. Their sums with kColumns columns fill the registers.
inline constexpr int64_t kRows = 12;
inline constexpr int64_t kColumns = 32;
/// Keys of a tile. With the queries of a group, their scores fit into the innermost cache.
inline constexpr int64_t kKeys = 256;
/// Lanes of a vector.
inline constexpr int64_t kVector = 16;

inline int64_t rounded_up(int64_t number, int64_t step) {
  return (number + step - 1) / step * step;
}

/// A number in fp32 or a pair of numbers in bf16 for each of 32 columns.
struct alignas(64) PanelRow {
  uint32_t words[kColumns];
};

/// Keys and values of a head. Elements and keys beyond the end of a panel are zeros.
struct PackedHead {
  const PanelRow* keys;    ///< [keys / 32][size / 2]: elements 2n and 2n + 1 of 32 keys
  const PanelRow* values;  ///< [size / 32][keys / 2]: of keys 2n and 2n + 1, 32 elements
  int64_t count;           ///< of keys
  int64_t size;            ///< rounded up to whole panels

  int64_t pairs_of_keys() const { return rounded_up(count, kColumns) / 2; }
};

/// The elements of a head in up to 32 rows of a tensor, in bf16.
struct HeadRows {
  const uint16_t* rows[kColumns];  ///< null: zeros
  int64_t size;
};

/// Row n of `from` becomes column n of `to`, in pairs: [size / 2][width].
void pack_columns(const HeadRows& from, int64_t width, int64_t size, uint32_t* to);

/// The 32 rows of `from` become 16 rows of each panel; panels are `panel_rows` rows apart.
void pack_values(const HeadRows& from, int64_t size, int64_t panel_rows, PanelRow* to);

/// A vector in fp32.
struct alignas(64) Vector {
  float lanes[kVector];
};

/// kRows queries, and what is known of them after some of the keys. Weights are 2^(score - peak).
/// The peak is near the largest score, so that no weight overflows: it need not be the
/// largest, since the precision of a weight does not depend on its size.
struct QueryGroup {
  const uint32_t* queries;  ///< [size / 2][kRows] pairs
  PanelRow* mixed;          ///< [size / 32][kRows], fp32: sum of weight * value
  Vector* peaks;            ///< a lane for each query
  Vector* sums;             ///< [kRows]: parts of the sum of a query's weights
};

/// Of a group and the keys of a tile.
struct alignas(64) ScoreTile {
  uint32_t weights[kRows][kKeys / 2];  ///< bf16
  uint32_t scores[kRows][kKeys];       ///< fp32, only if peaks must change
};

/// Adds up to kKeys keys, from a multiple of kKeys on; the first of them are key 0 and set the
/// peaks. Scores are query * key * scale.
void attend(const QueryGroup& group, const PackedHead& head, int64_t first_key, float scale,
            ScoreTile& scratch);

/// mixed / sums of the first `rows` queries, in bf16, `stride` elements apart.
void write_mixed(const QueryGroup& group, int64_t rows, int64_t size, uint16_t* to, int64_t stride);

}  // namespace kandinsky::nn::kernels::tiles
