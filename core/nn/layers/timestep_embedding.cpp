#include "nn/layers/timestep_embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>

#include <cmath>
#include <cstdint>

#include "tensor/weights.h"

namespace kandinsky::nn {

at::Tensor timestep_features(double timestep, int64_t channels) {
  const int64_t half = channels / 2;
  const at::Tensor exponent =
      at::arange(half, at::kFloat) * -std::log(10000.0) / static_cast<double>(half);
  const at::Tensor angles = at::exp(exponent) * static_cast<float>(timestep);
  return at::cat({at::cos(angles), at::sin(angles)}).unsqueeze(0);
}

TimestepEmbedding::TimestepEmbedding(const tensor::Weights& weights, int64_t in_channels,
                                     int64_t time_embed_dim)
    : in_channels_(in_channels),
      placement_(weights.placement()),
      linear_1_(weights.scope("linear_1"), in_channels, time_embed_dim),
      linear_2_(weights.scope("linear_2"), time_embed_dim, time_embed_dim) {}

at::Tensor TimestepEmbedding::operator()(double timestep) const {
  const at::Tensor features =
      timestep_features(timestep, in_channels_).to(placement_.device, placement_.dtype);
  return linear_2_(at::silu(linear_1_(features)));
}

}  // namespace kandinsky::nn
