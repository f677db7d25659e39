#include "nn/movq/movq.h"

#include <cstdint>

#include "nn/layers/conv.h"
#include "nn/movq/movq_config.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

constexpr ConvShape pointwise(int64_t in_channels, int64_t out_channels) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .kernel = 1,
          .stride = 1,
          .padding = 0};
}

}  // namespace

Movq::Movq(const MovqConfig& config, const tensor::Weights& weights)
    : config_(config),
      placement_(weights.placement()),
      encoder_(config, weights.scope("encoder")),
      quant_conv_(weights.scope("quant_conv"),
                  pointwise(config.latent_channels, config.vq_embed_dim)),
      post_quant_conv_(weights.scope("post_quant_conv"),
                       pointwise(config.vq_embed_dim, config.latent_channels)),
      decoder_(config, weights.scope("decoder")) {
  weights.ignore("quantize.");
  weights.finish();
}

at::Tensor Movq::encode(const at::Tensor& pixels, PaddingMode padding_mode) const {
  const at::Tensor placed =
      pixels.to(placement_.device, placement_.dtype).contiguous(at::MemoryFormat::ChannelsLast);
  return quant_conv_(encoder_(placed, padding_mode));
}

at::Tensor Movq::decode(const at::Tensor& latents, PaddingMode padding_mode) const {
  const at::Tensor placed =
      latents.to(placement_.device, placement_.dtype).contiguous(at::MemoryFormat::ChannelsLast);
  return decoder_(post_quant_conv_(placed), placed, padding_mode);
}

}  // namespace kandinsky::nn
