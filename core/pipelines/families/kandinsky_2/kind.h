#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/model_dir.h"
#include "pipelines/denoise/unet_rules.h"  // IWYU pragma: export

namespace kandinsky::pipelines {

/// In what the families of Kandinsky 2 differ. All else they share: CLIP's towers and the prior,
/// the UNet's trunk, MoVQ, and the folders' layout.
struct Kandinsky2Kind {
  const char* title;              ///< for messages, such as "Kandinsky 2.1"
  int64_t image_tokens;           ///< of the UNet's context, that an image embedding becomes
  bool has_decoder_text = false;  ///< the decoder reads the prompt, too: by MultilingualCLIP
  UNetRules rules;
  /// See Family.
  const char* (*role_of)(const io::ModelDir& folder);
  /// Whether a folder of this name and role, "prior" or "inpaint", can belong to a model of that
  /// name, its "-inpaint" left out: nothing, or the greater, the better the names fit.
  std::optional<std::pair<int64_t, int64_t>> (*nearness)(std::string_view model,
                                                         std::string_view companion,
                                                         std::string_view role);
  /// What the prior's folder is usually called, for messages.
  std::string (*usual_prior)(const io::ModelDir& model);
};

}  // namespace kandinsky::pipelines
