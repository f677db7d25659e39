#include "pipelines/encode_prompts.h"

#include <algorithm>
#include <map>

#include "pipelines/check_finite.h"

namespace kandinsky::pipelines {
namespace {

using Texts = std::vector<std::string>;

/// One distinct text, and what it is needed for.
struct Text {
  bool for_prior = false;
  bool for_decoder = false;
  std::vector<PriorText> prior;
  DecoderText decoder;
};

using TextMap = std::map<std::string, Text>;

/// The request's texts with every default filled in, one of each kind for each picture.
struct Sides {
  Texts prompts{};
  Texts negatives{};
  Texts steered_away{};           ///< of the prior
  bool samples_negative = false;  ///< the negative's image comes from the prior
  bool wants_prompt = false;
  bool wants_negative = false;

  bool wants_prior_negative() const { return samples_negative && wants_negative; }
};

Sides sides_of(const PromptRequest& request) {
  Sides sides{.prompts = request.prompts,
              .negatives = request.negative_prompts.value_or(Texts(request.prompts.size())),
              .wants_prompt = request.wants_embeds,
              .wants_negative = request.wants_negative_embeds};
  sides.steered_away = request.negative_prior_prompts.value_or(sides.negatives);
  sides.samples_negative = request.negative_image == NegativeImage::kPrior &&
                           (request.negative_prompts || request.negative_prior_prompts);
  return sides;
}

TextMap needed_texts(const Sides& sides, bool guided) {
  TextMap texts;
  for (size_t i = 0; i < sides.prompts.size(); ++i) {
    if (sides.wants_prompt) {
      Text& prompt = texts[sides.prompts[i]];
      prompt.for_prior = prompt.for_decoder = true;
    }
    if (sides.wants_negative) texts[sides.negatives[i]].for_decoder = true;
    if ((sides.wants_prompt && guided) || sides.wants_prior_negative())
      texts[sides.steered_away[i]].for_prior = true;
  }
  return texts;
}

void encode_texts(const PromptModels& models, const TextOptions& options, const Monitor& monitor,
                  TextMap& texts) {
  const auto is_for = [&](bool Text::*user) {
    return std::any_of(texts.begin(), texts.end(),
                       [user](const auto& entry) { return entry.second.*user; });
  };
  const nn::ClipTextEncoder* prior_text_encoder =
      is_for(&Text::for_prior) ? &models.prior_text_encoder.get(monitor) : nullptr;
  const nn::MultilingualClip* text_encoder =
      is_for(&Text::for_decoder) ? &models.text_encoder.get(monitor) : nullptr;
  const auto steps = static_cast<int>(texts.size());
  int step = 0;
  monitor.report("text_encoder", step, steps);
  for (auto& [content, text] : texts) {
    if (text.for_prior) {
      text.prior =
          encode_prior_text(*prior_text_encoder, models.prior_tokenizer, content, options, monitor);
    }
    if (text.for_decoder) {
      text.decoder =
          encode_decoder_text(*text_encoder, models.tokenizer, content, options, monitor);
      check_finite(text.decoder.prompt_embeds, "text_encoder", models.placement);
      check_finite(text.decoder.text_encoder_hidden_states, "text_encoder", models.placement);
    }
    monitor.report("text_encoder", ++step, steps);
  }
}

/// Image embeddings [1, E] of each picture; empty for a side that the prior is not asked for.
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

PriorEmbeds sample_prior(const PromptModels& models, const PromptRequest& request,
                         const Sides& sides, const TextMap& texts, const Monitor& monitor) {
  if (!sides.wants_prompt && !sides.wants_prior_negative()) return {};
  std::vector<PriorItem> items;
  std::vector<size_t> first_item;
  for (size_t i = 0; i < sides.prompts.size(); ++i) {
    first_item.push_back(items.size());
    const std::vector<PriorText> none;
    const auto& prompt = sides.wants_prompt ? texts.at(sides.prompts[i]).prior : none;
    const auto away = texts.find(sides.steered_away[i]);
    const auto& steered_away = away == texts.end() ? none : away->second.prior;
    const auto& negative = sides.wants_prior_negative() ? steered_away : none;
    for (size_t chunk = 0; chunk < std::max(prompt.size(), negative.size()); ++chunk) {
      PriorItem& item = items.emplace_back();
      item.seed = request.seeds[i];
      if (chunk < prompt.size()) item.prompt = &prompt[chunk];
      if (chunk < negative.size()) item.negative = &negative[chunk];
      for (const PriorText& text : steered_away) item.uncond.push_back(&text);
    }
  }
  const PriorOutput output =
      run_prior(models.prior.get(monitor), models.prior_schedule, items,
                sides.samples_negative ? PriorNoise::kPromptAndNegative : PriorNoise::kPrompt,
                request, monitor);
  PriorEmbeds embeds;
  for (size_t i = 0; i < sides.prompts.size(); ++i) {
    if (sides.wants_prompt) {
      embeds.prompts.push_back(
          mean_of_chunks(output.image_embeds, first_item[i], texts.at(sides.prompts[i]).prior));
      check_finite(embeds.prompts.back(), "prior", models.placement);
    }
    if (sides.wants_prior_negative()) {
      embeds.negatives.push_back(mean_of_chunks(output.negative_image_embeds, first_item[i],
                                                texts.at(sides.steered_away[i]).prior));
      check_finite(embeds.negatives.back(), "prior", models.placement);
    }
  }
  return embeds;
}

/// One row for each picture.
Embeds make_embeds(const std::vector<at::Tensor>& image_embeds, const Texts& contents,
                   const TextMap& texts) {
  std::vector<Embeds> rows;
  for (size_t i = 0; i < contents.size(); ++i) {
    const DecoderText& text = texts.at(contents[i]).decoder;
    rows.push_back({{{"image_embeds", image_embeds[i]},
                     {"prompt_embeds", text.prompt_embeds},
                     {"text_encoder_hidden_states", text.text_encoder_hidden_states}}});
  }
  std::vector<const Embeds*> items;
  for (const Embeds& row : rows) items.push_back(&row);
  return concat_embeds(items);
}

}  // namespace

Pipeline::EncodedPrompts encode_prompts(const PromptModels& models, const PromptRequest& request,
                                        const ZeroImageEmbeds& zero_image_embeds,
                                        const Monitor& monitor) {
  const Sides sides = sides_of(request);
  TextMap texts = needed_texts(sides, request.guidance_scale > 1.0);
  if (texts.empty()) return {};
  encode_texts(models,
               {.parse_weights = request.parse_weights, .long_prompts = request.long_prompts},
               monitor, texts);
  PriorEmbeds images = sample_prior(models, request, sides, texts, monitor);
  Pipeline::EncodedPrompts encoded;
  if (sides.wants_prompt) encoded.embeds = make_embeds(images.prompts, sides.prompts, texts);
  if (sides.wants_negative) {
    if (!sides.samples_negative)
      images.negatives.assign(sides.negatives.size(), zero_image_embeds());
    encoded.negative_embeds = make_embeds(images.negatives, sides.negatives, texts);
  }
  return encoded;
}

Embeds embeds_without_text(const PromptModels& models, const at::Tensor& image_embeds,
                           const Monitor& monitor) {
  TextMap texts;
  texts[""].for_decoder = true;
  encode_texts(models, {}, monitor, texts);
  return make_embeds(image_embeds.split(1), Texts(static_cast<size_t>(image_embeds.size(0))),
                     texts);
}

}  // namespace kandinsky::pipelines
