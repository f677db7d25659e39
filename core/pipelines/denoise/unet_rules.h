#pragma once

#include <cstdint>
#include <vector>

#include "nn/unet/unet.h"  // IWYU pragma: export
#include "pipelines/embeds.h"

namespace kandinsky::pipelines {

/// The differences between the families' UNets.
struct UNetRules {
  /// Throws Error(kInvalidArgument) unless the embeds fit the UNet and have so many rows.
  /// which: the embeds' name in messages.
  void (*check_embeds)(const Embeds& embeds, const nn::UNetConfig& config, const char* which,
                       int64_t rows);
  /// The number of context tokens of a row.
  int64_t (*num_tokens)(const Embeds& embeds, int64_t row);
  /// A row of embeds as input of the UNet.
  nn::UNet::Conditioning (*condition)(const nn::UNet& unet, const Embeds& embeds, int64_t row);
  /// The reference's image to image uses a noise table other than the sampler's.
  bool has_own_init_noise = false;
  /// The reference's inpainting model gets the kept part with the noise of each
  /// step.
  bool keeps_unmasked_noised = false;
};

/// Throws Error(kInvalidArgument) unless the tensor has this shape and finite values only. For
/// check_embeds().
void check_embeds_tensor(const char* which, const char* name, const at::Tensor& tensor,
                         const std::vector<int64_t>& expected);

}  // namespace kandinsky::pipelines
