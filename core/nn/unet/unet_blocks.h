/// The UNet's two units.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/layers/attention.h"
#include "nn/layers/conv.h"
#include "nn/layers/linear.h"
#include "nn/layers/norm.h"
#include "nn/layers/upsampled_conv.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

enum class Resample { kNone, kDown, kUp };

/// A map of so many rows, or of one that is repeated. The result is channels-last if the map is.
at::Tensor for_all_rows(const at::Tensor& map, int64_t rows);

/// Residual unit whose second norm is scaled and shifted by the timestep embedding; optionally
/// halves or doubles the map.
class ResnetBlock {
 public:
  struct Shape {
    int64_t in_channels = 0;
    int64_t out_channels = 0;
    int64_t temb_channels = 0;
    int64_t norm_groups = 32;
    double norm_eps = 1e-5;
  };
  ResnetBlock(const tensor::Weights& weights, const Shape& shape,
              Resample resample = Resample::kNone);

  /// x: [B, in, H, W], or [1, ...] for the same in every row, which is computed once up to the
  /// addition of activated_temb: [B, temb_channels], after SiLU.
  /// Source: diffusers, ResnetBlock2D with time_embedding_norm "scale_shift".
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& activated_temb,
                        PaddingMode padding_mode) const;

 private:
  Resample resample_;
  GroupNorm norm1_;
  std::optional<Conv2d> conv1_;
  std::optional<UpsampledConv2d> upsampled_conv1_;  ///< instead of conv1_ if the map is doubled
  Linear time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
};

/// Joint attention of a map over the context and itself: one softmax over the context's keys, then
/// the map's own.
class AddedKvAttention {
 public:
  struct Shape {
    int64_t channels = 0;
    int64_t head_dim = 64;
    int64_t context_dim = 0;
    int64_t norm_groups = 32;
  };
  /// The context's keys and values, [B, T, channels] each: the same in every step.
  struct Context {
    at::Tensor key;
    at::Tensor value;
  };
  AddedKvAttention(const tensor::Weights& weights, const Shape& shape);

  /// encoder_hidden_states: [B, T, context_dim]
  Context project(const at::Tensor& encoder_hidden_states) const;

  /// x: [B, channels, H, W]. Source: diffusers, AttnAddedKVProcessor2_0.
  at::Tensor operator()(const at::Tensor& x, const Context& context) const;

 private:
  int64_t heads_;
  GroupNorm group_norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
  Linear add_k_proj_, add_v_proj_;
  AttentionKernel kernel_;
};

}  // namespace kandinsky::nn
