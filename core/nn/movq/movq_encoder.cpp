#include "nn/movq/movq_encoder.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "nn/layers/conv.h"
#include "nn/movq/movq_blocks.h"
#include "nn/movq/movq_config.h"
#include "nn/movq/spatial_norm.h"
#include "tensor/run_context.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

MovqNormKind group_norm(const MovqConfig& config) {
  return {.groups = config.norm_num_groups, .zq_channels = 0};
}

}  // namespace

MovqEncoder::MovqEncoder(const MovqConfig& config, const tensor::Weights& weights)
    : conv_in_(weights.scope("conv_in"),
               {.in_channels = 3, .out_channels = config.block_out_channels.front()}),
      mid_block_(weights.scope("mid_block"), config.block_out_channels.back(), group_norm(config)),
      conv_norm_out_(weights.scope("conv_norm_out"), config.block_out_channels.back(),
                     group_norm(config)),
      conv_out_(weights.scope("conv_out"), {.in_channels = config.block_out_channels.back(),
                                            .out_channels = config.latent_channels}) {
  int64_t in_channels = config.block_out_channels.front();
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const int64_t channels = config.block_out_channels[i];
    const tensor::Weights block = weights.scope("down_blocks", static_cast<int64_t>(i));
    Level level;
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      level.resnets.emplace_back(block.scope("resnets", j), in_channels, channels,
                                 group_norm(config));
      if (config.encoder_attention[i])
        level.attentions.emplace_back(block.scope("attentions", j), channels, group_norm(config));
      in_channels = channels;
    }
    if (i + 1 < config.block_out_channels.size()) {
      level.downsampler.emplace(block.scope("downsamplers.0.conv"),
                                ConvShape{.in_channels = channels,
                                          .out_channels = channels,
                                          .kernel = 3,
                                          .stride = 2,
                                          .padding = 0});
    }
    down_blocks_.push_back(std::move(level));
  }
}

at::Tensor MovqEncoder::operator()(const at::Tensor& pixels, PaddingMode padding_mode) const {
  const at::Tensor no_zq;
  at::Tensor x = conv_in_(pixels, padding_mode);
  for (const Level& level : down_blocks_) {
    for (size_t j = 0; j < level.resnets.size(); ++j) {
      x = level.resnets[j](x, no_zq, padding_mode);
      if (!level.attentions.empty()) x = level.attentions[j](x, no_zq);
      tensor::end_block();
    }
    // The reference pads only on the right and at the bottom; with circular padding these are the
    // first column and row.
    if (level.downsampler)
      x = (*level.downsampler)(pad_map(x, {.right = 1, .bottom = 1}, padding_mode));
    tensor::end_block();
  }
  x = mid_block_(x, no_zq, padding_mode);
  return normed_conv(conv_norm_out_, conv_out_, x, no_zq, padding_mode);
}

}  // namespace kandinsky::nn
