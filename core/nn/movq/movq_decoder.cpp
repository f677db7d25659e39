#include "nn/movq/movq_decoder.h"

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

MovqNormKind spatial_norm(const MovqConfig& config) {
  return {.groups = config.norm_num_groups, .zq_channels = config.vq_embed_dim};
}

}  // namespace

MovqDecoder::MovqDecoder(const MovqConfig& config, const tensor::Weights& weights)
    : conv_in_(weights.scope("conv_in"), {.in_channels = config.latent_channels,
                                          .out_channels = config.block_out_channels.back()}),
      mid_block_(weights.scope("mid_block"), config.block_out_channels.back(),
                 spatial_norm(config)),
      conv_norm_out_(weights.scope("conv_norm_out"), config.block_out_channels.front(),
                     spatial_norm(config)),
      conv_out_(weights.scope("conv_out"),
                {.in_channels = config.block_out_channels.front(), .out_channels = 3}) {
  const size_t levels = config.block_out_channels.size();
  int64_t in_channels = config.block_out_channels.back();
  for (size_t i = 0; i < levels; ++i) {
    const int64_t channels = config.block_out_channels[levels - 1 - i];
    const tensor::Weights block = weights.scope("up_blocks", static_cast<int64_t>(i));
    Level level;
    for (int64_t j = 0; j <= config.layers_per_block; ++j) {
      level.resnets.emplace_back(block.scope("resnets", j), in_channels, channels,
                                 spatial_norm(config));
      if (config.decoder_attention[i])
        level.attentions.emplace_back(block.scope("attentions", j), channels, spatial_norm(config));
      in_channels = channels;
    }
    if (i + 1 < levels) {
      level.upsampler.emplace(block.scope("upsamplers.0.conv"), channels, channels);
    }
    up_blocks_.push_back(std::move(level));
  }
}

at::Tensor MovqDecoder::operator()(const at::Tensor& z, const at::Tensor& zq,
                                   PaddingMode padding_mode) const {
  at::Tensor x = mid_block_(conv_in_(z, padding_mode), zq, padding_mode);
  for (const Level& level : up_blocks_) {
    for (size_t j = 0; j < level.resnets.size(); ++j) {
      x = level.resnets[j](x, zq, padding_mode);
      if (!level.attentions.empty()) x = level.attentions[j](x, zq);
      tensor::end_block();
    }
    if (level.upsampler) x = (*level.upsampler)(x, padding_mode);
    tensor::end_block();
  }
  return normed_conv(conv_norm_out_, conv_out_, x, zq, padding_mode);
}

}  // namespace kandinsky::nn
