#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "nn/prior/prior_transformer.h"
#include "pipelines/monitor.h"
#include "pipelines/request.h"
#include "samplers/unclip.h"

namespace kandinsky::pipelines {

/// One text as the prior takes it, all with a leading dimension of 1.
struct PriorText {
  at::Tensor text_embeds;                 ///< [1, E]
  at::Tensor text_encoder_hidden_states;  ///< [1, T, E]
  at::Tensor attention_mask;              ///< [1, T]
};

/// What one picture asks of the prior. Texts belong to the caller.
struct PriorItem {
  const PriorText* prompt = nullptr;
  const PriorText* uncond = nullptr;  ///< the negative prompt if there is one, else the empty text
  bool samples_negative = false;      ///< also sample an embedding for `uncond`
};

struct PriorOutput {
  at::Tensor image_embeds;           ///< [B, E] fp32 on the CPU
  at::Tensor negative_image_embeds;  ///< likewise; undefined unless the items sample it
};

/// Samples image embeddings. Each picture draws from a fresh generator of its seed: [1, E] at a
/// time, or [2, E] when it also samples its negative, as the reference does for one prompt and one
/// negative prompt. All items agree on samples_negative. Source: diffusers,
/// KandinskyPriorPipeline.__call__.
PriorOutput run_prior(const nn::PriorTransformer& prior, const samplers::UnclipSchedule& schedule,
                      const std::vector<PriorItem>& items, const PromptRequest& request,
                      const Monitor& monitor);

}  // namespace kandinsky::pipelines
