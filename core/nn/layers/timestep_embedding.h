#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/layers/linear.h"
#include "tensor/device.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

/// Sinusoidal features of a timestep, [1, channels] in fp32: cosines, then sines. timestep may be
/// fractional. Source: diffusers, get_timestep_embedding with flip_sin_to_cos and no frequency
/// shift.
at::Tensor timestep_features(double timestep, int64_t channels);

/// features -> linear_1 -> SiLU -> linear_2. Tensors: "linear_1", "linear_2".
class TimestepEmbedding {
 public:
  TimestepEmbedding(const tensor::Weights& weights, int64_t in_channels, int64_t time_embed_dim);

  /// Returns [1, time_embed_dim].
  at::Tensor operator()(double timestep) const;

 private:
  int64_t in_channels_;
  tensor::Placement placement_;
  Linear linear_1_;
  Linear linear_2_;
};

}  // namespace kandinsky::nn
