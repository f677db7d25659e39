#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nn/prior/prior_transformer.h"
#include "options/requests.h"
#include "pipelines/monitor.h"
#include "samplers/unclip.h"

namespace kandinsky::pipelines {

/// A text as input of the prior, all with a leading dimension of 1.
struct PriorText {
  at::Tensor text_embeds;                 ///< [1, E]
  at::Tensor text_encoder_hidden_states;  ///< [1, T, E]
  at::Tensor attention_mask;              ///< [1, T]
  int64_t num_tokens = 0;                 ///< without begin and end: its weight in a mean
};

/// One run of the prior. The caller owns the texts.
struct PriorItem {
  uint64_t seed = 0;
  const PriorText* prompt = nullptr;  ///< null: no image_embeds
  /// Texts to guide away from; of several the mean prediction, weighted by tokens.
  std::vector<const PriorText*> uncond{};
  const PriorText* negative = nullptr;  ///< null: no negative_image_embeds
  /// An image's embedding [1, E] that both sides start from, not
  /// standardised, as in the reference. Undefined: noise.
  at::Tensor init_image_embeds{};
};

/// One entry for each item, fp32 on the CPU; undefined if not requested.
struct PriorOutput {
  std::vector<at::Tensor> image_embeds;           ///< [1, E]
  std::vector<at::Tensor> negative_image_embeds;  ///< [1, E]
  bool is_whole = true;                           ///< no step was skipped
};

/// The shape of a run's noise draws.
enum class PriorNoise : int {
  kPrompt = 1,             ///< [1, E], as the reference without a negative prompt
  kPromptAndNegative = 2,  ///< [2, E], as the reference with one; unused rows are dropped
};

/// How many items run at once where there is memory for it: with more, a step is bound by its
/// products.
inline constexpr size_t kMostPriorItems = 8;

/// Samples image embeddings, each item from a fresh generator of its seed. A negative needs no
/// guidance, because both of its sides are the same text. Source: diffusers,
/// KandinskyPriorPipeline.__call__ and KandinskyV22PriorEmb2EmbPipeline.__call__.
PriorOutput run_prior(const nn::PriorTransformer& prior, const samplers::UnclipSchedule& schedule,
                      const std::vector<PriorItem>& items, PriorNoise noise,
                      const PromptRequest& request, const Monitor& monitor);

/// The mean of rows of equal shape, weighted by tokens; a single row is returned unchanged.
at::Tensor mean_by_tokens(const std::vector<at::Tensor>& rows,
                          const std::vector<int64_t>& num_tokens);

}  // namespace kandinsky::pipelines
