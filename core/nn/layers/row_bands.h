/// A norm and the following convolution for large maps, in bands of rows. The norm's result
/// never exists as a whole, which saves memory and memory bandwidth.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "nn/kernels/norm_kernels.h"
#include "nn/layers/conv.h"

namespace kandinsky::nn {

/// A norm of one map, computed for each band of rows: with the map's original statistics, of the
/// rows' current elements.
class NormedRows {
 public:
  /// map: [1, C, H, W], channels-last.
  NormedRows(const at::Tensor& map, kernels::ChannelAffine affine, kernels::Cells cells,
             kernels::Then then);

  int64_t height() const { return map_.size(2); }

  /// Rows of a band: at least 1.
  int64_t rows_at_once() const;

  /// A buffer for that many rows, [1, C, rows, W].
  at::Tensor empty_rows(int64_t rows) const;

  /// Writes the result's rows from `first` to before `last` into `rows`, channels-last and of
  /// exactly that height.
  void write(int64_t first, int64_t last, at::Tensor rows) const;

 private:
  at::Tensor map_;
  kernels::ChannelAffine affine_;
  kernels::Cells cells_;
  kernels::Then then_;
};

/// The addend for rows `first` to before `last` of a convolution's result; undefined: none.
using RowsOf = std::function<at::Tensor(int64_t first, int64_t last)>;

/// conv(input) + addend into `result`, which may be the map of the input's norm. conv:
/// 3x3 with a padding of 1.
void convolve_in_bands(const NormedRows& input, const Conv2d& conv, PaddingMode mode,
                       const RowsOf& addend, at::Tensor& result);

/// The same into a new map, with nothing added.
at::Tensor convolve_in_bands(const NormedRows& input, const Conv2d& conv, PaddingMode mode);

}  // namespace kandinsky::nn
