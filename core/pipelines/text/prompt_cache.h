#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
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
  std::string prompt{};
  std::string steered_away{};
  TextOptions options{};
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

/// An image, and the LoRAs of the image encoder.
struct ImageKey {
  HexDigest pixels{};  ///< their SHA-256
  int width = 0;
  int height = 0;
  int channels = 0;
  std::string adapters{};
  bool operator==(const ImageKey&) const = default;
};

/// Recent encodings, by value: changing other settings of an image does not encode its
/// prompt, or the images that guide it, again. A full-size text takes half a megabyte.
struct PromptCache {
  static constexpr size_t kTexts = 128;  ///< those of a largest batch: 64 prompts and negative ones
  static constexpr size_t kPriorEmbeds = 256;
  static constexpr size_t kImageEmbeds = 16;
  RecentlyUsed<TextKey, ReadText<std::vector<PriorText>>> prior_texts{kTexts};
  RecentlyUsed<TextKey, ReadText<DecoderText>> decoder_texts{kTexts};
  RecentlyUsed<PriorKey, PriorImages> prior_embeds{kPriorEmbeds};
  RecentlyUsed<ImageKey, at::Tensor> image_embeds{kImageEmbeds};  ///< [1, E]
  std::string adapters;                                           ///< of the texts and of the prior

  /// Drops texts and embeddings of the prior that were made with other adapters.
  void keep_for(std::string now) {
    if (now == adapters) return;
    PromptCache kept;
    kept.image_embeds = std::move(image_embeds);
    kept.adapters = std::move(now);
    *this = std::move(kept);
  }
};

}  // namespace kandinsky::pipelines
