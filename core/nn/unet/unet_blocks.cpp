#include "nn/unet/unet_blocks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/avg_pool2d.h>

#include <cstdint>
#include <vector>

#include "nn/layers/attention.h"
#include "nn/layers/conv.h"
#include "nn/layers/map_tokens.h"
#include "nn/layers/norm.h"
#include "nn/layers/upsampled_conv.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

using kernels::Then;

namespace {

constexpr double kAttentionNormEps = 1e-5;

at::Tensor resampled(const at::Tensor& x, Resample resample) {
  switch (resample) {
    case Resample::kNone:
      return x;
    case Resample::kDown:
      return at::avg_pool2d(x, {2, 2}, {2, 2});
    case Resample::kUp:
      return doubled(x);
  }
  return x;
}

}  // namespace

at::Tensor for_all_rows(const at::Tensor& map, int64_t rows) {
  if (map.size(0) == rows) return map;
  return map.expand({rows, -1, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast);
}

ResnetBlock::ResnetBlock(const tensor::Weights& weights, const Shape& shape, Resample resample)
    : resample_(resample),
      norm1_(weights.scope("norm1"), shape.in_channels, shape.norm_groups, shape.norm_eps),
      time_emb_proj_(weights.scope("time_emb_proj"), shape.temb_channels, 2 * shape.out_channels),
      norm2_(weights.scope("norm2"), shape.out_channels, shape.norm_groups, shape.norm_eps),
      conv2_(weights.scope("conv2"),
             {.in_channels = shape.out_channels, .out_channels = shape.out_channels}) {
  const tensor::Weights conv1 = weights.scope("conv1");
  if (resample == Resample::kUp) {
    upsampled_conv1_.emplace(conv1, shape.in_channels, shape.out_channels);
  } else {
    conv1_.emplace(conv1,
                   ConvShape{.in_channels = shape.in_channels, .out_channels = shape.out_channels});
  }
  if (shape.in_channels != shape.out_channels) {
    conv_shortcut_.emplace(weights.scope("conv_shortcut"),
                           ConvShape{.in_channels = shape.in_channels,
                                     .out_channels = shape.out_channels,
                                     .kernel = 1,
                                     .stride = 1,
                                     .padding = 0});
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, const at::Tensor& activated_temb,
                                   PaddingMode padding_mode) const {
  const at::Tensor activated = norm1_(x, {}, Then::kSilu);
  const int64_t rows = activated_temb.size(0);
  const at::Tensor h =
      for_all_rows(upsampled_conv1_ ? (*upsampled_conv1_)(activated, padding_mode)
                                    : (*conv1_)(resampled(activated, resample_), padding_mode),
                   rows);
  // Scale comes first, then shift.
  const std::vector<at::Tensor> scale_shift =
      time_emb_proj_(activated_temb).unsqueeze(2).unsqueeze(3).chunk(2, 1);
  const kernels::Cells modulation{
      .factor = (1 + scale_shift[0]).contiguous(at::MemoryFormat::ChannelsLast),
      .addend = scale_shift[1].contiguous(at::MemoryFormat::ChannelsLast)};
  const at::Tensor modulated = norm2_.in_place(h, modulation, Then::kSilu);
  const at::Tensor input = resampled(x, resample_);
  const at::Tensor residual = for_all_rows(conv_shortcut_ ? (*conv_shortcut_)(input) : input, rows);
  return conv2_.add_to(residual, modulated, padding_mode);
}

AddedKvAttention::AddedKvAttention(const tensor::Weights& weights, const Shape& shape)
    : heads_(shape.channels / shape.head_dim),
      group_norm_(weights.scope("group_norm"), shape.channels, shape.norm_groups,
                  kAttentionNormEps),
      to_q_(weights.scope("to_q"), shape.channels, shape.channels),
      to_k_(weights.scope("to_k"), shape.channels, shape.channels),
      to_v_(weights.scope("to_v"), shape.channels, shape.channels),
      to_out_(weights.scope("to_out.0"), shape.channels, shape.channels),
      add_k_proj_(weights.scope("add_k_proj"), shape.context_dim, shape.channels),
      add_v_proj_(weights.scope("add_v_proj"), shape.context_dim, shape.channels),
      kernel_(attention_kernel(weights.placement())) {}

AddedKvAttention::Context AddedKvAttention::project(const at::Tensor& encoder_hidden_states) const {
  return {add_k_proj_(encoder_hidden_states), add_v_proj_(encoder_hidden_states)};
}

at::Tensor AddedKvAttention::operator()(const at::Tensor& x, const Context& context) const {
  const at::Tensor tokens = map_to_tokens(group_norm_(x));
  const at::Tensor mixed = attention_of_parts(to_q_(tokens), {context.key, to_k_(tokens)},
                                              {context.value, to_v_(tokens)}, heads_, kernel_);
  return tokens_to_map(to_out_.add_to(map_to_tokens(x), mixed), x.size(2), x.size(3));
}

}  // namespace kandinsky::nn
