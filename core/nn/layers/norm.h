#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "nn/layers/norm_kernels.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Tensors: "weight", "bias" [features]. Statistics over the last dimension, in fp32.
class LayerNorm {
 public:
  LayerNorm(const tensor::Weights& weights, int64_t features, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  double eps_;
};

/// What scales and shifts a normed map: normed * scale + shift. Both [B, C, h, w], where h and w
/// divide the map's sides; each cell is for a rectangle of the map.
struct Modulation {
  at::Tensor scale;
  at::Tensor shift;
};

/// Tensors: "weight", "bias" [channels]. x: [B, channels, H, W]. Statistics over each group of
/// channels, in fp32.
class GroupNorm {
 public:
  GroupNorm(const tensor::Weights& weights, int64_t channels, int64_t groups, double eps);

  at::Tensor operator()(const at::Tensor& x) const;

  /// The norm, modulated if there is a modulation, then the activation.
  at::Tensor operator()(const at::Tensor& x, const std::optional<Modulation>& modulation,
                        kernels::Then then) const;

 private:
  at::Tensor fused(const at::Tensor& x, const std::optional<Modulation>& modulation,
                   kernels::Then then) const;

  at::Tensor weight_;
  at::Tensor bias_;
  int64_t groups_;
  double eps_;
  bool is_fused_;
};

}  // namespace kandinsky::nn
