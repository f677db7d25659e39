#include "nn/movq/movq_config.h"

#include <cstddef>
#include <cstdint>

#include "io/json_config.h"
#include "nn/config_checks.h"

namespace kandinsky::nn {

MovqConfig MovqConfig::from_json(const io::JsonConfig& json) {
  require_value(json, "act_fn", "silu");
  require_value(json, "norm_type", "spatial");
  require_value(json, "in_channels", int64_t{3});
  require_value(json, "out_channels", int64_t{3});

  MovqConfig config;
  config.latent_channels = get_size(json, "latent_channels", 4);
  config.vq_embed_dim = get_size(json, "vq_embed_dim", config.latent_channels);
  config.block_out_channels = get_sizes(json, "block_out_channels");
  const size_t levels = config.block_out_channels.size();
  config.encoder_attention = get_attention_levels(json, "down_block_types", "DownEncoderBlock2D",
                                                  "AttnDownEncoderBlock2D", levels);
  config.decoder_attention = get_attention_levels(json, "up_block_types", "UpDecoderBlock2D",
                                                  "AttnUpDecoderBlock2D", levels);
  config.layers_per_block = get_layer_count(json, "layers_per_block", 2);
  config.norm_num_groups = get_size(json, "norm_num_groups", 32);
  return config;
}

}  // namespace kandinsky::nn
