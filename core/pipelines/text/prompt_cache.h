#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/text/encode_text.h"
#include "pipelines/text/recently_used.h"
#include "pipelines/text/run_prior.h"

namespace kandinsky::pipelines {

/// A text encoded by both encoders, with their remarks.
template <typename Result>
struct ReadText {
  Result result;
  std::vector<std::string> remarks;
};

struct TextKey {
  std::string text;
  TextOptions options;
  bool operator==(const TextKey&) const = default;
};

/// Everything that one image's image embeddings depend on.
struct PriorKey {
  std::string prompt;
  std::string steered_away;
  TextOptions options;
  bool wants_prompt = false;
  bool wants_negative = false;
  PriorNoise noise = PriorNoise::kPrompt;
  uint64_t seed = 0;
  int num_inference_steps = 0;
  double guidance_scale = 0.0;
  bool operator==(const PriorKey&) const = default;
};

/// Undefined for a side that was not requested.
struct PriorImages {
  at::Tensor prompt;    ///< [1, E]
  at::Tensor negative;  ///< [1, E]
};

/// Recent encodings, by value: changing other settings of an image does not encode its
/// prompt again. A full-size text takes half a megabyte.
struct PromptCache {
  static constexpr size_t kTexts = 64;
  static constexpr size_t kImages = 256;
  RecentlyUsed<TextKey, ReadText<std::vector<PriorText>>> prior_texts{kTexts};
  RecentlyUsed<TextKey, ReadText<DecoderText>> decoder_texts{kTexts};
  RecentlyUsed<PriorKey, PriorImages> images{kImages};
  std::string adapters;  ///< of all entries

  /// Drops entries of other adapters.
  void keep_for(std::string now) {
    if (now == adapters) return;
    *this = {};
    adapters = std::move(now);
  }
};

}  // namespace kandinsky::pipelines
