#include "pipelines/text/encode_prompts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/encoders/clip_text.h"
#include "nn/encoders/mclip.h"
#include "nn/prior/prior_transformer.h"
#include "options/requests.h"
#include "options/types.h"
#include "pipelines/check_finite.h"
#include "pipelines/embeds.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "pipelines/text/encode_text.h"
#include "pipelines/text/prompt_cache.h"
#include "pipelines/text/recently_used.h"
#include "pipelines/text/run_prior.h"

namespace kandinsky::pipelines {
namespace {

using Texts = std::vector<std::string>;

/// One distinct text, and its uses.
struct Text {
  bool for_prior = false;
  bool for_decoder = false;
  std::vector<PriorText> prior;
  DecoderText decoder;
};

using TextMap = std::map<std::string, Text>;

/// The request's texts with every default filled in, one of each kind for each image.
struct Sides {
  Texts prompts{};
  Texts negatives{};
  Texts steered_away{};           ///< of the prior
  bool samples_negative = false;  ///< the negative image embedding comes from the prior
  bool wants_prompt = false;
  bool wants_negative = false;

  bool wants_prior_negative() const { return samples_negative && wants_negative; }
};

bool samples_negative(const PromptRequest& request) {
  return request.negative_image == NegativeImage::kPrior &&
         !(request.negative_prompts.empty() && request.negative_prior_prompts.empty());
}

Sides sides_of(const PromptRequest& request) {
  Sides sides{.prompts = request.prompts,
              .negatives = request.negative_prompts.empty() ? Texts(request.prompts.size())
                                                            : request.negative_prompts,
              .wants_prompt = request.wants_embeds,
              .wants_negative = request.wants_negative_embeds};
  sides.steered_away =
      request.negative_prior_prompts.empty() ? sides.negatives : request.negative_prior_prompts;
  sides.samples_negative = samples_negative(request);
  return sides;
}

TextOptions text_options(const PromptRequest& request) {
  return {.parse_weights = request.parse_weights, .long_prompts = request.long_prompts};
}

TextMap needed_texts(const Sides& sides, bool guided, bool has_decoder_text) {
  TextMap texts;
  for (size_t i = 0; i < sides.prompts.size(); ++i) {
    if (sides.wants_prompt) {
      Text& prompt = texts[sides.prompts[i]];
      prompt.for_prior = true;
      prompt.for_decoder = has_decoder_text;
    }
    if (sides.wants_negative && has_decoder_text) texts[sides.negatives[i]].for_decoder = true;
    if ((sides.wants_prompt && guided) || sides.wants_prior_negative())
      texts[sides.steered_away[i]].for_prior = true;
  }
  return texts;
}

/// A cached text with its remarks repeated, or a newly encoded one, which is cached.
template <typename Result, typename Read>
Result recall(RecentlyUsed<TextKey, ReadText<Result>>* memory, const TextKey& key,
              const Monitor& monitor, const Read& read) {
  if (memory != nullptr) {
    if (const ReadText<Result>* known = memory->find(key)) {
      for (const std::string& remark : known->remarks) monitor.say(remark);
      return known->result;
    }
  }
  ReadText<Result> text;
  text.result = read(monitor.recording(text.remarks));
  if (memory != nullptr) memory->put(key, text);
  return text.result;
}

void encode_texts(const PromptModels& models, const TextOptions& options, const Monitor& monitor,
                  TextMap& texts) {
  if (models.cache != nullptr) {
    const std::string of_decoder =
        models.decoder != nullptr ? models.decoder->text_encoder.adapters() : "";
    models.cache->keep_for(models.prior_text_encoder.adapters() + of_decoder +
                           models.prior.adapters());
  }
  const auto steps = static_cast<int>(texts.size());
  int step = 0;
  bool has_started = false;
  const auto start = [&] {
    if (!std::exchange(has_started, true)) monitor.report("text_encoder", 0, steps);
  };
  for (auto& [content, text] : texts) {
    const std::string& words = content;
    const TextKey key{words, options};
    if (text.for_prior) {
      text.prior =
          recall(models.cache != nullptr ? &models.cache->prior_texts : nullptr, key, monitor,
                 [&](const Monitor& recording) {
                   const auto encode = [&](const nn::ClipTextEncoder& encoder) {
                     start();
                     auto prior = encode_prior_text(encoder, models.prior_tokenizer, words, options,
                                                    recording);
                     const at::ScalarType dtype = models.prior_text_encoder.placement().dtype;
                     for (const PriorText& chunk : prior) {
                       check_finite(chunk.text_embeds, "prior_text_encoder", dtype);
                       check_finite(chunk.text_encoder_hidden_states, "prior_text_encoder", dtype);
                     }
                     return prior;
                   };
                   return models.prior_text_encoder.run_finite(monitor, encode);
                 });
    }
    if (text.for_decoder) {
      text.decoder =
          recall(models.cache != nullptr ? &models.cache->decoder_texts : nullptr, key, monitor,
                 [&](const Monitor& recording) {
                   const auto encode = [&](const nn::MultilingualClip& encoder) {
                     start();
                     auto decoder = encode_decoder_text(encoder, models.decoder->tokenizer, words,
                                                        options, recording);
                     const at::ScalarType dtype = models.decoder->text_encoder.placement().dtype;
                     check_finite(decoder.prompt_embeds, "text_encoder", dtype);
                     check_finite(decoder.text_encoder_hidden_states, "text_encoder", dtype);
                     return decoder;
                   };
                   return models.decoder->text_encoder.run_finite(monitor, encode);
                 });
    }
    start();
    monitor.report("text_encoder", ++step, steps);
  }
}

/// Image embeddings [1, E] of each image; empty for a side that the prior does not compute.
struct PriorEmbeds {
  std::vector<at::Tensor> prompts;
  std::vector<at::Tensor> negatives;
};

/// The mean over a text's chunks, which are the first of the runs from `first` on.
at::Tensor mean_of_chunks(const std::vector<at::Tensor>& runs, size_t first,
                          const std::vector<PriorText>& chunks) {
  std::vector<at::Tensor> rows;
  std::vector<int64_t> num_tokens;
  for (size_t chunk = 0; chunk < chunks.size(); ++chunk) {
    rows.push_back(runs[first + chunk]);
    num_tokens.push_back(chunks[chunk].num_tokens);
  }
  return mean_by_tokens(rows, num_tokens).contiguous();
}

/// The key of one image's image embeddings.
PriorKey prior_key(const PromptRequest& request, const Sides& sides, size_t image) {
  const bool uses_away = request.prior_guidance_scale > 1.0 || sides.wants_prior_negative();
  return {.prompt = sides.wants_prompt ? sides.prompts[image] : "",
          .steered_away = uses_away ? sides.steered_away[image] : "",
          .options = text_options(request),
          .wants_prompt = sides.wants_prompt,
          .wants_negative = sides.wants_prior_negative(),
          .noise = sides.samples_negative ? PriorNoise::kPromptAndNegative : PriorNoise::kPrompt,
          .seed = request.seeds[image],
          .num_inference_steps = request.prior_num_inference_steps,
          .guidance_scale = request.prior_guidance_scale};
}

/// Cached results of earlier runs; null: none. Keys hold no images.
RecentlyUsed<PriorKey, PriorImages>* known_images(const PromptModels& models,
                                                  const PromptRequest& request) {
  return models.cache != nullptr && request.prior_images.empty() ? &models.cache->prior_embeds
                                                                 : nullptr;
}

/// The runs of the prior for the images of these indices.
std::vector<PriorImages> run_prior_for(const std::vector<size_t>& indices,
                                       const PromptModels& models, const PromptRequest& request,
                                       const at::Tensor& init_image_embeds, const Sides& sides,
                                       const TextMap& texts, const Monitor& monitor) {
  std::vector<PriorItem> items;
  std::vector<size_t> first_item;
  for (const size_t i : indices) {
    first_item.push_back(items.size());
    static const std::vector<PriorText> kNone;
    const auto& prompt = sides.wants_prompt ? texts.at(sides.prompts[i]).prior : kNone;
    const auto away = texts.find(sides.steered_away[i]);
    const auto& steered_away = away == texts.end() ? kNone : away->second.prior;
    const auto& negative = sides.wants_prior_negative() ? steered_away : kNone;
    for (size_t chunk = 0; chunk < std::max(prompt.size(), negative.size()); ++chunk) {
      PriorItem& item = items.emplace_back();
      item.seed = request.seeds[i];
      if (init_image_embeds.defined()) {
        const int64_t row = init_image_embeds.size(0) == 1 ? 0 : static_cast<int64_t>(i);
        item.init_image_embeds = init_image_embeds.slice(0, row, row + 1);
      }
      if (chunk < prompt.size()) item.prompt = &prompt[chunk];
      if (chunk < negative.size()) item.negative = &negative[chunk];
      for (const PriorText& text : steered_away) item.uncond.push_back(&text);
    }
  }
  const PriorNoise noise =
      sides.samples_negative ? PriorNoise::kPromptAndNegative : PriorNoise::kPrompt;
  return models.prior.run_finite(monitor, [&](const nn::PriorTransformer& prior) {
    const PriorOutput output =
        run_prior(prior, models.prior_schedule, items, noise, request, monitor);
    const at::ScalarType dtype = models.prior.placement().dtype;
    auto* const known = known_images(models, request);
    std::vector<PriorImages> images;
    for (size_t i = 0; i < indices.size(); ++i) {
      PriorImages& image = images.emplace_back();
      if (sides.wants_prompt) {
        image.prompt = mean_of_chunks(output.image_embeds, first_item[i],
                                      texts.at(sides.prompts[indices[i]]).prior);
        check_finite(image.prompt, "prior", dtype);
      }
      if (sides.wants_prior_negative()) {
        image.negative = mean_of_chunks(output.negative_image_embeds, first_item[i],
                                        texts.at(sides.steered_away[indices[i]]).prior);
        check_finite(image.negative, "prior", dtype);
      }
      if (known != nullptr && output.is_whole)
        known->put(prior_key(request, sides, indices[i]), image);
    }
    return images;
  });
}

PriorEmbeds sample_prior(const PromptModels& models, const PromptRequest& request,
                         const at::Tensor& init_image_embeds, const Sides& sides,
                         const TextMap& texts, const Monitor& monitor) {
  if (!sides.wants_prompt && !sides.wants_prior_negative()) return {};
  auto* const known = known_images(models, request);
  std::vector<PriorImages> images(sides.prompts.size());
  std::vector<size_t> unknown;
  for (size_t i = 0; i < images.size(); ++i) {
    const PriorImages* const image =
        known != nullptr ? known->find(prior_key(request, sides, i)) : nullptr;
    if (image == nullptr) {
      unknown.push_back(i);
    } else {
      images[i] = *image;
    }
  }
  if (!unknown.empty()) {
    const std::vector<PriorImages> made =
        run_prior_for(unknown, models, request, init_image_embeds, sides, texts, monitor);
    for (size_t i = 0; i < unknown.size(); ++i) images[unknown[i]] = made[i];
  }
  PriorEmbeds embeds;
  for (const PriorImages& image : images) {
    if (sides.wants_prompt) embeds.prompts.push_back(image.prompt);
    if (sides.wants_prior_negative()) embeds.negatives.push_back(image.negative);
  }
  return embeds;
}

/// One row for each image.
Embeds make_embeds(const PromptModels& models, const std::vector<at::Tensor>& image_embeds,
                   const Texts& contents, const TextMap& texts) {
  std::vector<Embeds> rows;
  for (size_t i = 0; i < contents.size(); ++i) {
    Embeds& row = rows.emplace_back();
    row.tensors.emplace_back("image_embeds", image_embeds[i]);
    if (models.decoder == nullptr) continue;
    const DecoderText& text = texts.at(contents[i]).decoder;
    row.tensors.emplace_back("prompt_embeds", text.prompt_embeds);
    row.tensors.emplace_back("text_encoder_hidden_states", text.text_encoder_hidden_states);
  }
  std::vector<const Embeds*> items;
  for (const Embeds& row : rows) items.push_back(&row);
  return concat_embeds(items);
}

}  // namespace

Pipeline::EncodedPrompts encode_prompts(const PromptModels& models, const PromptRequest& request,
                                        const at::Tensor& init_image_embeds,
                                        const ZeroImageEmbeds& zero_image_embeds,
                                        const Monitor& monitor) {
  const Sides sides = sides_of(request);
  TextMap texts =
      needed_texts(sides, request.prior_guidance_scale > 1.0, models.decoder != nullptr);
  encode_texts(models, text_options(request), monitor, texts);
  PriorEmbeds images = sample_prior(models, request, init_image_embeds, sides, texts, monitor);
  Pipeline::EncodedPrompts encoded;
  if (sides.wants_prompt)
    encoded.embeds = make_embeds(models, images.prompts, sides.prompts, texts);
  if (sides.wants_negative) {
    if (!sides.samples_negative)
      images.negatives.assign(sides.negatives.size(), zero_image_embeds());
    encoded.negative_embeds = make_embeds(models, images.negatives, sides.negatives, texts);
  }
  return encoded;
}

bool needs_zero_image(const PromptRequest& request) {
  return request.wants_negative_embeds && !samples_negative(request);
}

Embeds embeds_without_text(const PromptModels& models, const at::Tensor& image_embeds,
                           const Monitor& monitor) {
  TextMap texts;
  if (models.decoder != nullptr) texts[""].for_decoder = true;
  encode_texts(models, {}, monitor, texts);
  return make_embeds(models, image_embeds.split(1),
                     Texts(static_cast<size_t>(image_embeds.size(0))), texts);
}

}  // namespace kandinsky::pipelines
