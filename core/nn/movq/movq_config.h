#pragma once

#include <cstdint>
#include <vector>

#include "io/json_config.h"

namespace kandinsky::nn {

/// The image autoencoder's sizes. Encoder and decoder read the same config.json.
struct MovqConfig {
  int64_t latent_channels = 4;
  int64_t vq_embed_dim = 4;
  std::vector<int64_t> block_out_channels;
  std::vector<bool> encoder_attention;  ///< per level
  std::vector<bool> decoder_attention;  ///< per level, from the innermost outwards
  int64_t layers_per_block = 2;
  int64_t norm_num_groups = 32;

  /// Pixels per latent in each direction.
  int64_t factor() const { return int64_t{1} << (block_out_channels.size() - 1); }

  /// Throws Error(kCorruptFile) for sizes that do not fit together, Error(kUnsupported) for
  /// switches of other networks.
  static MovqConfig from_json(const io::JsonConfig& json);
};

}  // namespace kandinsky::nn
