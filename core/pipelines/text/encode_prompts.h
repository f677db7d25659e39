#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "pipelines/memory/component.h"
#include "pipelines/pipeline.h"
#include "pipelines/text/encode_text.h"
#include "pipelines/text/prompt_cache.h"
#include "pipelines/text/run_prior.h"

namespace kandinsky::pipelines {

/// What a decoder that reads prompts itself reads them with.
struct DecoderTextModels {
  text::XlmrTokenizer tokenizer;
  Component<nn::MultilingualClip> text_encoder;
};

/// What a model reads prompts with. All of it belongs to the caller.
struct PromptModels {
  const text::ClipTokenizer& prior_tokenizer;
  Component<nn::ClipTextEncoder>& prior_text_encoder;
  Component<nn::PriorTransformer>& prior;
  const samplers::UnclipSchedule& prior_schedule;
  DecoderTextModels* decoder = nullptr;  ///< null: the decoder reads image embeddings alone
  PromptCache* cache = nullptr;          ///< null: nothing is kept
};

/// The image embedding [1, E] of an empty image, fp32 on the CPU; called where it is needed.
using ZeroImageEmbeds = std::function<at::Tensor()>;

/// Texts -> the text encoders -> prior -> embeds; a side that is not wanted stays empty, and no
/// network is loaded for it alone. Each distinct text is encoded once, and what is in `memory` is
/// not computed again.
///
/// A prompt of several chunks runs the prior once for each, every time from a fresh generator of
/// the image's seed, and takes the mean of the image embeddings by their tokens. Noise is drawn
/// for the negative too only for NegativeImage::kPrior with a negative prompt, whether or not that
/// side is wanted, so that the other one does not depend on it; its image is then the prior's
/// result for the text that the prior steers away from. Source: diffusers,
/// KandinskyPriorPipeline.__call__ and KandinskyPipeline._encode_prompt.
///
/// init_image_embeds: of the request's prior_images, one row or one for each image; undefined
/// without.
Pipeline::EncodedPrompts encode_prompts(const PromptModels& models, const PromptRequest& request,
                                        const at::Tensor& init_image_embeds,
                                        const ZeroImageEmbeds& zero_image_embeds,
                                        const Monitor& monitor);

/// Whether these prompts' negative embeds have the image embedding of an empty image.
bool needs_zero_image(const PromptRequest& request);

/// Embeds with these image embeddings [B, E] and, where the decoder reads texts, the text part of
/// an empty one.
Embeds embeds_without_text(const PromptModels& models, const at::Tensor& image_embeds,
                           const Monitor& monitor);

}  // namespace kandinsky::pipelines
