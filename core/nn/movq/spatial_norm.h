#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/layers/conv.h"
#include "nn/layers/norm.h"
#include "nn/layers/row_bands.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// The kind of norm in the encoder or the decoder.
struct MovqNormKind {
  int64_t groups = 32;
  int64_t zq_channels =
      0;  ///< 0: plain group norm (encoder); else: spatial norm modulated by the latents (decoder)
};

/// Group norm, in the decoder scaled and shifted at each position by the latents.
/// Tensors: plain "weight", "bias"; spatial "norm_layer", "conv_y", "conv_b".
class MovqNorm {
 public:
  MovqNorm(const tensor::Weights& weights, int64_t channels, const MovqNormKind& kind);

  /// x: [B, channels, H, W]; zq: [B, zq_channels, h, w] for the spatial kind, where H and W are
  /// multiples of h and w. Source: diffusers, SpatialNorm.forward.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& zq,
                        kernels::Then then = kernels::Then::kNothing) const;

  /// The same in place, if possible.
  at::Tensor in_place(at::Tensor x, const at::Tensor& zq, kernels::Then then) const;

  /// The same for a map that is large enough to be computed in bands; empty for others.
  std::optional<NormedRows> in_bands(const at::Tensor& x, const at::Tensor& zq,
                                     kernels::Then then) const;

 private:
  kernels::Cells cells(const at::Tensor& x, const at::Tensor& zq) const;

  GroupNorm norm_layer_;
  std::optional<Conv2d> conv_y_;
  std::optional<Conv2d> conv_b_;
  bool is_on_latent_grid_;
};

}  // namespace kandinsky::nn
