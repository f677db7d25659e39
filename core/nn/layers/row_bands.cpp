#include "nn/layers/row_bands.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "nn/kernels/norm_kernels.h"
#include "nn/layers/conv.h"
#include "tensor/arena.h"

namespace kandinsky::nn {
namespace {

/// Small enough for a band to stay in the caches, and large enough for the rows around it to be
/// negligible.
constexpr int64_t kBandBytes = int64_t{4} << 20U;
/// Bands of whole tiles of WinogradConv2d, as a whole map is cut.
constexpr int64_t kTileRows = 4;

at::Tensor rows_of(const at::Tensor& map, int64_t first, int64_t last) {
  return map.slice(2, first, last);
}

}  // namespace

NormedRows::NormedRows(const at::Tensor& map, kernels::ChannelAffine affine, kernels::Cells cells,
                       kernels::Then then)
    : map_(map), affine_(std::move(affine)), cells_(std::move(cells)), then_(then) {
  TORCH_INTERNAL_ASSERT(map.size(0) == 1);
}

int64_t NormedRows::rows_at_once() const {
  const auto row_bytes = static_cast<int64_t>(map_.nbytes()) / height();
  const int64_t rows = kBandBytes / row_bytes;
  return std::clamp<int64_t>(rows < kTileRows ? rows : rows / kTileRows * kTileRows, 1, height());
}

at::Tensor NormedRows::empty_rows(int64_t rows) const {
  return tensor::recycled({1, map_.size(1), rows, map_.size(3)}, map_.options(),
                          at::MemoryFormat::ChannelsLast);
}

void NormedRows::write(int64_t first, int64_t last, at::Tensor rows) const {
  const int64_t cell_height = cells_.factor.defined() ? height() / cells_.factor.size(2) : 1;
  for (int64_t row = first; row < last;) {
    // Whole cells, or the rest of one.
    const int64_t within = row % cell_height;
    const int64_t rest = last - row;
    const int64_t count = within == 0 && rest >= cell_height ? rest / cell_height * cell_height
                                                             : std::min(rest, cell_height - within);
    kernels::Cells cells;
    if (cells_.factor.defined()) {
      const int64_t cell = row / cell_height;
      const int64_t end = cell + std::max<int64_t>(1, count / cell_height);
      cells = {.factor = rows_of(cells_.factor, cell, end),
               .addend = rows_of(cells_.addend, cell, end)};
    }
    at::Tensor target = rows_of(rows, row - first, row - first + count);
    kernels::apply(rows_of(map_, row, row + count), affine_, cells, then_, target);
    row += count;
  }
}

void convolve_in_bands(const NormedRows& input, const Conv2d& conv, PaddingMode mode,
                       const RowsOf& addend, at::Tensor& result) {
  const int64_t height = input.height();
  const int64_t rows_at_once = input.rows_at_once();
  const bool is_circular = mode == PaddingMode::kCircular;
  // A band with the rows above and below it. The row above is kept from the previous band,
  // since the result may have overwritten its source; so is the first row, which follows
  // the last if the map is circular.
  at::Tensor above = input.empty_rows(1);
  at::Tensor first = input.empty_rows(1);
  if (is_circular) {
    input.write(height - 1, height, above);
    input.write(0, 1, first);
  } else {
    above.zero_();
    first.zero_();
  }
  for (int64_t begin = 0; begin < height; begin += rows_at_once) {
    const int64_t count = std::min(rows_at_once, height - begin);
    const bool is_last = begin + count == height;
    const int64_t own = is_last ? count : count + 1;
    const at::Tensor band = input.empty_rows(count + 2);
    rows_of(band, 0, 1).copy_(above);
    input.write(begin, begin + own, rows_of(band, 1, 1 + own));
    if (is_last) rows_of(band, count + 1, count + 2).copy_(first);
    above.copy_(rows_of(band, count, count + 1));
    const at::Tensor added = addend ? addend(begin, begin + count) : at::Tensor();
    rows_of(result, begin, begin + count).copy_(conv.of_rows(band, added, mode));
  }
}

at::Tensor convolve_in_bands(const NormedRows& input, const Conv2d& conv, PaddingMode mode) {
  const at::Tensor row = input.empty_rows(1);
  at::Tensor result = tensor::recycled({1, conv.out_channels(), input.height(), row.size(3)},
                                       row.options(), at::MemoryFormat::ChannelsLast);
  convolve_in_bands(input, conv, mode, {}, result);
  return result;
}

}  // namespace kandinsky::nn
