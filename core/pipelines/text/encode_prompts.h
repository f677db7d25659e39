#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "nn/prior/prior_transformer.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/memory/component.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "pipelines/text/prompt_cache.h"
#include "samplers/unclip.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {

/// The models with which a decoder encodes prompts itself.
struct DecoderTextModels {
  text::XlmrTokenizer tokenizer;
  Component<nn::MultilingualClip> text_encoder;
};

/// The models that encode prompts. The caller owns everything.
struct PromptModels {
  const text::ClipTokenizer& prior_tokenizer;
  Component<nn::ClipTextEncoder>& prior_text_encoder;
  Component<nn::PriorTransformer>& prior;
  const samplers::UnclipSchedule& prior_schedule;
  DecoderTextModels* decoder = nullptr;  ///< null: the decoder gets only image embeddings
  PromptCache* cache = nullptr;          ///< null: no cache
};

/// The image embedding [1, E] of the zero image, fp32 on the CPU; called if needed.
using ZeroImageEmbeds = std::function<at::Tensor()>;

/// Texts -> the text encoders -> prior -> embeds; a side that is not requested stays empty, and no
/// network is loaded for it alone. Each distinct text is encoded once, and cached results are not
/// computed again.
///
/// A prompt of several chunks runs the prior once for each, with a fresh generator of the
/// image's seed, and uses the mean of the image embeddings, weighted by tokens. Noise for the
/// negative is drawn only for NegativeImage::kPrior with a negative prompt, whether or not that
/// side is requested, so that the other one does not depend on it; its image embedding is then the
/// prior's result for the negative prompt. Source: diffusers,
/// KandinskyPriorPipeline.__call__ and KandinskyPipeline._encode_prompt.
///
/// init_image_embeds: of the request's prior_images, one row or one for each image; undefined
/// without.
Pipeline::EncodedPrompts encode_prompts(const PromptModels& models, const PromptRequest& request,
                                        const at::Tensor& init_image_embeds,
                                        const ZeroImageEmbeds& zero_image_embeds,
                                        const Monitor& monitor);

/// Whether these prompts' negative embeds use the zero image's embedding.
bool needs_zero_image(const PromptRequest& request);

/// Embeds with these image embeddings [B, E] and, if the decoder reads texts, the text part of
/// an empty text.
Embeds embeds_without_text(const PromptModels& models, const at::Tensor& image_embeds,
                           const Monitor& monitor);

}  // namespace kandinsky::pipelines
