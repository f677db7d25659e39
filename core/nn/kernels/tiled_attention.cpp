#include "nn/kernels/tiled_attention.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "nn/kernels/attention_tiles.h"
#include "tensor/arena.h"
#include "tensor/cpu.h"
#include "tensor/device.h"

namespace kandinsky::nn::kernels {
namespace {

using tiles::kColumns;
using tiles::PanelRow;

/// Pairs of keys in a panel.
constexpr int64_t kPairs = kColumns / 2;

/// Groups of queries that a thread computes with a tile of keys, while it is in the core's own
/// cache: fewer of wide heads, whose sums take much of it.
constexpr int64_t kGroupsOfNarrow = 16;
constexpr int64_t kGroupsOfWide = 8;
constexpr int64_t kMostNarrow = 128;
/// Panels of keys that a thread packs at least.
constexpr int64_t kPanelsPerTask = 4;

/// Tensors [B, rows, heads * size] that follow one another along the rows.
class Joined {
 public:
  Joined(const std::vector<at::Tensor>& parts, int64_t heads)
      : size_(parts.front().size(2) / heads) {
    for (const at::Tensor& part : parts) {
      TORCH_INTERNAL_ASSERT(part.is_cpu() && part.scalar_type() == at::kBFloat16 &&
                            part.dim() == 3 && part.size(0) == parts.front().size(0) &&
                            part.size(2) == size_ * heads);
      parts_.push_back(part.contiguous());
      rows_ += part.size(1);
    }
  }

  int64_t rows() const { return rows_; }
  int64_t size() const { return size_; }

  tiles::HeadRows of_head(int64_t batch, int64_t head, int64_t first, int64_t count) const {
    tiles::HeadRows found{.rows = {}, .size = size_};
    int64_t begin = 0;
    for (const at::Tensor& part : parts_) {
      const auto* const data = static_cast<const uint16_t*>(part.const_data_ptr());
      const int64_t end = begin + part.size(1);
      for (int64_t row = std::max(first, begin); row < std::min(first + count, end); ++row) {
        found.rows[row - first] =
            data + (batch * part.size(1) + row - begin) * part.size(2) + head * size_;
      }
      begin = end;
    }
    return found;
  }

 private:
  std::vector<at::Tensor> parts_;
  int64_t rows_ = 0;
  int64_t size_;
};

/// A thread's memory for a block of queries.
class QueryBlock {
 public:
  explicit QueryBlock(int64_t size)
      : size_(size),
        groups_(size <= kMostNarrow ? kGroupsOfNarrow : kGroupsOfWide),
        queries_(static_cast<size_t>(groups_ * query_rows())),
        mixed_(static_cast<size_t>(groups_ * mixed_rows())),
        peaks_(static_cast<size_t>(groups_)),
        sums_(static_cast<size_t>(groups_ * tiles::kRows)) {}

  int64_t rows() const { return groups_ * tiles::kRows; }

  /// Attention of some of a head's queries, up to rows().
  void attend(const Joined& queries, int64_t batch, int64_t head, int64_t first, int64_t count,
              const tiles::PackedHead& packed, uint16_t* to, int64_t stride) {
    const int64_t groups = (count + tiles::kRows - 1) / tiles::kRows;
    const auto scale =
        static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(queries.size())));
    for (int64_t i = 0; i < groups; ++i) {
      const int64_t rows = std::min(tiles::kRows, count - i * tiles::kRows);
      tiles::pack_columns(queries.of_head(batch, head, first + i * tiles::kRows, rows),
                          tiles::kRows, size_,
                          queries_[static_cast<size_t>(i * query_rows())].words);
    }
    std::ranges::fill(mixed_, PanelRow{});
    std::ranges::fill(sums_, tiles::Vector{});
    for (int64_t key = 0; key < packed.count; key += tiles::kKeys) {
      for (int64_t i = 0; i < groups; ++i) tiles::attend(group(i), packed, key, scale, tile_);
    }
    for (int64_t i = 0; i < groups; ++i) {
      tiles::write_mixed(group(i), std::min(tiles::kRows, count - i * tiles::kRows), queries.size(),
                         to + i * tiles::kRows * stride, stride);
    }
  }

 private:
  /// Of a group.
  int64_t query_rows() const { return size_ / 2 * tiles::kRows / kColumns; }
  int64_t mixed_rows() const { return size_ / kColumns * tiles::kRows; }

  tiles::QueryGroup group(int64_t index) {
    const auto i = static_cast<size_t>(index);
    return {.queries = queries_[i * static_cast<size_t>(query_rows())].words,
            .mixed = &mixed_[i * static_cast<size_t>(mixed_rows())],
            .peaks = &peaks_[i],
            .sums = &sums_[i * static_cast<size_t>(tiles::kRows)]};
  }

  int64_t size_;
  int64_t groups_;
  std::vector<PanelRow> queries_;
  std::vector<PanelRow> mixed_;
  std::vector<tiles::Vector> peaks_;
  std::vector<tiles::Vector> sums_;
  tiles::ScoreTile tile_{};
};

}  // namespace

bool has_tiled_attention(const tensor::Placement& placement) {
  return placement.speedups.tiled_attention && placement.device.is_cpu() &&
         placement.dtype == at::kBFloat16 && !tensor::has_bf16_tiles() && tiles::are_supported();
}

at::Tensor tiled_attention(const at::Tensor& q, const std::vector<at::Tensor>& keys,
                           const std::vector<at::Tensor>& values, int64_t heads) {
  const Joined queries({q}, heads);
  const Joined joined_keys(keys, heads);
  const Joined joined_values(values, heads);
  TORCH_INTERNAL_ASSERT(joined_keys.rows() == joined_values.rows() && joined_keys.rows() > 0 &&
                        joined_keys.size() == queries.size() &&
                        joined_values.size() == queries.size() && q.size(0) == keys[0].size(0) &&
                        q.size(0) == values[0].size(0));
  const int64_t size = tiles::rounded_up(queries.size(), kColumns);
  const int64_t panels = (joined_keys.rows() + kColumns - 1) / kColumns;
  const int64_t rows_of_head = panels * size / 2;  // of the keys, and as many of the values
  const at::Tensor memory =
      tensor::recycled({q.size(0) * heads * 2 * rows_of_head * 2 * kColumns}, q.options());
  auto* const packed_rows = static_cast<PanelRow*>(memory.mutable_data_ptr());
  at::parallel_for(0, q.size(0) * heads * panels, kPanelsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / panels;
      const int64_t panel = i % panels;
      PanelRow* const to = packed_rows + head * 2 * rows_of_head;
      const auto rows = [&](const Joined& joined) {
        return joined.of_head(head / heads, head % heads, panel * kColumns, kColumns);
      };
      tiles::pack_columns(rows(joined_keys), kColumns, size, to[panel * size / 2].words);
      tiles::pack_values(rows(joined_values), size, panels * kPairs,
                         to + rows_of_head + panel * kPairs);
    }
  });
  const at::Tensor result = tensor::recycled(q.sizes(), q.options());
  const int64_t stride = q.size(2);
  const int64_t rows_at_once = QueryBlock(size).rows();
  const int64_t blocks = (queries.rows() + rows_at_once - 1) / rows_at_once;
  at::parallel_for(0, q.size(0) * heads * blocks, 1, [&](int64_t begin, int64_t end) {
    QueryBlock block(size);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / blocks;
      const int64_t first = i % blocks * rows_at_once;
      const PanelRow* const of_head = packed_rows + head * 2 * rows_of_head;
      const tiles::PackedHead packed{.keys = of_head,
                                     .values = of_head + rows_of_head,
                                     .count = joined_keys.rows(),
                                     .size = size};
      auto* const to = static_cast<uint16_t*>(result.mutable_data_ptr()) +
                       (head / heads * queries.rows() + first) * stride +
                       head % heads * queries.size();
      block.attend(queries, head / heads, head % heads, first,
                   std::min(rows_at_once, queries.rows() - first), packed, to, stride);
    }
  });
  return result;
}

}  // namespace kandinsky::nn::kernels
