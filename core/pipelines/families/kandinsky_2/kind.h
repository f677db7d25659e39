#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/model_dir.h"
#include "pipelines/denoise/unet_rules.h"

namespace kandinsky::pipelines {

/// In what the families of Kandinsky 2 differ. All else they share: CLIP's towers and the prior,
/// the UNet's trunk, MoVQ, and the folders' layout.
struct Kandinsky2Kind {
  const char* title;              ///< for messages, such as "Kandinsky 2.1"
  int64_t image_tokens;           ///< of the UNet's context, that an image embedding becomes
  bool has_decoder_text = false;  ///< the decoder reads the prompt, too: by MultilingualCLIP
  bool keeps_zero_image = false;  ///< in a file, see zero_image_file.h; the image encoder may be
                                  ///< missing then
  UNetRules rules;
  /// See Family.
  const char* (*role_of)(const io::ModelDir& folder);
  /// The folder of this role, "prior" or "inpaint", that belongs to a model whose companion was not
  /// named; nothing if there is none.
  std::optional<io::ModelDir> (*find_companion)(const io::ModelDir& model, std::string_view role);
  /// What the prior's folder is usually called, for messages.
  std::string (*usual_prior)(const io::ModelDir& model);
};

}  // namespace kandinsky::pipelines
