#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/kernels/norm_kernels.h"  // IWYU pragma: export
#include "nn/layers/row_bands.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Tensors: "weight", "bias" [features]. Statistics over the last dimension, in fp32. x may be in
/// fp32; the result is in the weights' type.
class LayerNorm {
 public:
  LayerNorm(const tensor::Weights& weights, int64_t features, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  double eps_;
};

/// Tensors: "weight", "bias" [channels]. x: [B, channels, H, W]. Statistics over each group of
/// channels, in fp32.
class GroupNorm {
 public:
  GroupNorm(const tensor::Weights& weights, int64_t channels, int64_t groups, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

  /// then(norm * factor + addend), or then(norm) without cells.
  at::Tensor operator()(const at::Tensor& x, const kernels::Cells& cells, kernels::Then then) const;

  /// The same in place, if possible.
  at::Tensor in_place(at::Tensor x, const kernels::Cells& cells, kernels::Then then) const;

  /// The same for a map that is large enough to be computed in bands; empty for others.
  std::optional<NormedRows> in_bands(const at::Tensor& x, const kernels::Cells& cells,
                                     kernels::Then then) const;

 private:
  at::Tensor plain(const at::Tensor& x, const kernels::Cells& cells, kernels::Then then) const;
  bool is_fused_for(const at::Tensor& x, const kernels::Cells& cells) const;

  at::Tensor weight_;
  at::Tensor bias_;
  int64_t groups_;
  double eps_;
  bool is_fused_;
  bool has_bands_;
};

}  // namespace kandinsky::nn
