#include "nn/movq/movq_blocks.h"

#include <cstdint>
#include <string_view>

#include "nn/layers/attention.h"
#include "nn/layers/conv.h"
#include "nn/layers/map_tokens.h"
#include "nn/layers/norm.h"
#include "nn/layers/row_bands.h"
#include "nn/movq/spatial_norm.h"
#include "tensor/weights.h"

namespace kandinsky::nn {

using kernels::Then;

namespace {

tensor::Weights named(const tensor::Weights& weights, std::string_view name,
                      std::string_view older_name) {
  const tensor::Weights older = weights.scope(older_name);
  return older.has("weight") ? older : weights.scope(name);
}

/// The norm of an attention unit has different names in encoder and decoder.
const char* attention_norm_name(const MovqNormKind& norm) {
  return norm.zq_channels > 0 ? "spatial_norm" : "group_norm";
}

}  // namespace

at::Tensor normed_conv(const MovqNorm& norm, const Conv2d& conv, const at::Tensor& x,
                       const at::Tensor& zq, PaddingMode padding_mode) {
  if (const auto normed = norm.in_bands(x, zq, Then::kSilu))
    return convolve_in_bands(*normed, conv, padding_mode);
  return conv(norm(x, zq, Then::kSilu), padding_mode);
}

MovqResnetBlock::MovqResnetBlock(const tensor::Weights& weights, int64_t in_channels,
                                 int64_t out_channels, const MovqNormKind& norm)
    : norm1_(weights.scope("norm1"), in_channels, norm),
      conv1_(weights.scope("conv1"), {.in_channels = in_channels, .out_channels = out_channels}),
      norm2_(weights.scope("norm2"), out_channels, norm),
      conv2_(weights.scope("conv2"), {.in_channels = out_channels, .out_channels = out_channels}) {
  if (in_channels != out_channels) {
    conv_shortcut_.emplace(weights.scope("conv_shortcut"), ConvShape{.in_channels = in_channels,
                                                                     .out_channels = out_channels,
                                                                     .kernel = 1,
                                                                     .stride = 1,
                                                                     .padding = 0});
  }
}

at::Tensor MovqResnetBlock::operator()(const at::Tensor& x, const at::Tensor& zq,
                                       PaddingMode padding_mode) const {
  at::Tensor h = normed_conv(norm1_, conv1_, x, zq, padding_mode);
  if (const auto normed = norm2_.in_bands(h, zq, Then::kSilu)) {
    const RowsOf residual = [&](int64_t first, int64_t last) {
      const at::Tensor rows = x.slice(2, first, last);
      return conv_shortcut_ ? (*conv_shortcut_)(rows) : rows;
    };
    convolve_in_bands(*normed, conv2_, padding_mode, residual, h);
    return h;
  }
  h = norm2_.in_place(h, zq, Then::kSilu);
  return conv2_.add_to(conv_shortcut_ ? (*conv_shortcut_)(x) : x, h, padding_mode);
}

MovqAttention::MovqAttention(const tensor::Weights& weights, int64_t channels,
                             const MovqNormKind& norm)
    : norm_(weights.scope(attention_norm_name(norm)), channels, norm),
      to_q_(named(weights, "to_q", "query"), channels, channels),
      to_k_(named(weights, "to_k", "key"), channels, channels),
      to_v_(named(weights, "to_v", "value"), channels, channels),
      to_out_(named(weights, "to_out.0", "proj_attn"), channels, channels),
      kernel_(attention_kernel(weights.placement())) {}

at::Tensor MovqAttention::operator()(const at::Tensor& x, const at::Tensor& zq) const {
  const at::Tensor tokens = map_to_tokens(norm_(x, zq));
  const at::Tensor mixed =
      attention(to_q_(tokens), to_k_(tokens), to_v_(tokens), /*heads=*/1, kernel_);
  return tokens_to_map(to_out_.add_to(map_to_tokens(x), mixed), x.size(2), x.size(3));
}

MovqMidBlock::MovqMidBlock(const tensor::Weights& weights, int64_t channels,
                           const MovqNormKind& norm)
    : resnet_0_(weights.scope("resnets", 0), channels, channels, norm),
      attention_(weights.scope("attentions", 0), channels, norm),
      resnet_1_(weights.scope("resnets", 1), channels, channels, norm) {}

at::Tensor MovqMidBlock::operator()(const at::Tensor& x, const at::Tensor& zq,
                                    PaddingMode padding_mode) const {
  return resnet_1_(attention_(resnet_0_(x, zq, padding_mode), zq), zq, padding_mode);
}

}  // namespace kandinsky::nn
