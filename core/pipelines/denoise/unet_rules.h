#pragma once

#include <cstdint>

#include "nn/unet/unet.h"
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {

/// In what the families' UNets are run differently.
struct UNetRules {
  /// Throws Error(kInvalidArgument) unless the embeds have what the UNet needs, in so many rows.
  /// which: what messages call the embeds.
  void (*check_embeds)(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                       int64_t rows);
  /// How many tokens of context a row has.
  int64_t (*num_tokens)(const Embeds& embeds, int64_t row);
  /// One row of embeds as the UNet takes it.
  nn::UNet::Conditioning (*condition)(const nn::UNet& unet, const Embeds& embeds, int64_t row);
  /// The reference's image to image noises its image by a table that is not the sampler's.
  bool has_own_init_noise = false;
  /// While the reference's inpainting model works, it gets what is kept with the noise of each
  /// step.
  bool keeps_unmasked_noised = false;
};

/// Throws Error(kInvalidArgument) unless the tensor has this shape and finite values only. For
/// check_embeds().
void check_embeds_tensor(const char* which, const char* name, const at::Tensor& tensor,
                         const std::vector<int64_t>& expected);

}  // namespace kandinsky::pipelines
