#include "pipelines/families/kandinsky_2/models.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "io/model_dir.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/movq/movq.h"
#include "nn/movq/movq_config.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "pipelines/denoise/check_request.h"
#include "pipelines/denoise/run_unet.h"
#include "pipelines/families/kandinsky_2/folders.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/families/kandinsky_2/memory.h"
#include "pipelines/family.h"
#include "pipelines/geometry.h"
#include "pipelines/memory/component.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/text/encode_prompts.h"
#include "samplers/unclip.h"
#include "tensor/at_once.h"
#include "tensor/device.h"
#include "tensor/weights.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {
namespace {

tensor::Placement exact(tensor::Placement placement) {
  placement.int8_weights = false;
  return placement;
}

template <typename Network>
Component<Network> component(const io::ModelDir& folder, const char* name, WeightLayout layout,
                             const tensor::Placement& placement) {
  tensor::Placement of_few_rows = placement;
  of_few_rows.few_rows = true;  // of texts, or of one small image
  return {folder.weights(name), of_few_rows, std::move(layout),
          [json = folder.config(name)](const tensor::Weights& weights) {
            return Network(json, weights);
          }};
}

template <typename Network>
std::optional<size_t> index_of(const std::optional<Component<Network>>& component) {
  return component ? std::optional(component->index()) : std::nullopt;
}

Geometry geometry_of(int64_t native_size, const nn::UNetConfig& unet, const nn::MovqConfig& movq) {
  const int64_t factor = movq.factor();
  return {.native_size = native_size,
          .latent_channels = movq.latent_channels,
          .latent_factor = factor,
          .size_multiple = factor * (int64_t{1} << (unet.block_out_channels.size() - 1))};
}

}  // namespace

Kandinsky2Models::Kandinsky2Models(const Kandinsky2Kind& kind_of_model, const io::ModelDir& model,
                                   const io::ModelDir& prior_folder,
                                   const std::optional<io::ModelDir>& inpaint_folder,
                                   const Placements& placements)
    : kind(kind_of_model),
      prior_dir(prior_folder),
      inpaint_dir(inpaint_folder),
      placement(exact(placements.decoder)),
      prior_tokenizer(text::ClipTokenizer::load(prior_dir.component("tokenizer").folder())),
      prior_schedule(samplers::UnclipSchedule::from_json(prior_dir.config("scheduler"))),
      schedule(read_schedule(model)),
      inpaint_schedule(inpaint_dir ? read_schedule(*inpaint_dir) : schedule),
      unet_config(nn::UNetConfig::from_json(model.config("unet"))),
      movq_config(nn::MovqConfig::from_json(model.config("movq"))),
      prior_row_elements(nn::PriorTransformer::elements_of_a_row(prior_dir.config("prior"))),
      geometry(geometry_of(native_size(kind, model), unet_config, movq_config)),
      prior_text_encoder(component<nn::ClipTextEncoder>(
          prior_dir, "text_encoder", clip_text_layout(), exact(placements.prior))),
      // Int8 weights are for this one and the decoder's text encoder, which are large and whose
      // result is an idea only.
      prior(component<nn::PriorTransformer>(prior_dir, "prior", prior_layout(), placements.prior)),
      unet(model.weights("unet"), placement, unet_layout(),
           [this](const tensor::Weights& weights) { return nn::UNet(unet_config, weights); }),
      movq(model.weights("movq"), placement, movq_layout(),
           [this](const tensor::Weights& weights) { return nn::Movq(movq_config, weights); }) {
  check_unet(kind, model, unet_config, movq_config);
  check_widths(kind, model, prior_dir);
  check_text_lengths(kind, model, prior_dir);
  check_vocabulary(prior_dir.config("text_encoder"), prior_tokenizer.vocab_size());
  if (has_image_encoder(prior_dir)) {
    image_encoder.emplace(component<nn::ClipVisionEncoder>(
        prior_dir, "image_encoder", clip_vision_layout(), exact(placements.prior)));
    // Texts alone need none.
    if (prior_dir.find("image_processor") != nullptr) read_image_processor(prior_dir);
  }
  if (kind.has_decoder_text) {
    decoder_text.emplace(DecoderTextModels{
        .tokenizer = text::XlmrTokenizer::load(model.component("tokenizer").folder()),
        .text_encoder = component<nn::MultilingualClip>(
            model, "text_encoder", multilingual_clip_layout(), placements.decoder)});
    check_vocabulary(model.config("text_encoder"), decoder_text->tokenizer.vocab_size());
  }
  if (inpaint_dir && !is_inpainting_unet(unet_config, movq_config.latent_channels)) {
    inpaint_unet.emplace(inpaint_dir->weights("unet"), placement, unet_layout(),
                         [json = inpaint_dir->config("unet")](const tensor::Weights& weights) {
                           return nn::UNet(nn::UNetConfig::from_json(json), weights);
                         });
  }
  // Embeds are cached: what every image needs is worth most.
  movq.join(residency, "movq");
  unet.join(residency, "unet");
  if (inpaint_unet) inpaint_unet->join(residency, "inpaint unet");
  prior_text_encoder.join(residency, "prior text encoder");
  if (decoder_text) decoder_text->text_encoder.join(residency, "text encoder");
  prior.join(residency, "prior");
  if (image_encoder) image_encoder->join(residency, "image encoder");
}

ModelLimits Kandinsky2Models::limits() const {
  return {.schedule = schedule,
          .geometry = geometry,
          .has_inpainting_unet = inpaint_dir.has_value(),
          .takes_hints = unet_config.inputs == nn::UNetInputs::kImageHint,
          .has_own_init_noise = kind.rules.has_own_init_noise};
}

MemoryNeeds Kandinsky2Models::memory_needs(const JobOutline& job) const {
  const Component<nn::UNet>& needed = takes_inpaint_unet(job.shows_mask) ? *inpaint_unet : unet;
  const int64_t at_once =
      placement.speedups.images_at_once ? tensor::most_at_once(job.batch_size, job.batch_size) : 1;
  std::vector<size_t> text_encoders;
  // Images need no texts where the decoder reads none.
  if (job.encodes_texts || decoder_text) text_encoders.push_back(prior_text_encoder.index());
  if (decoder_text) text_encoders.push_back(decoder_text->text_encoder.index());
  return pipelines::memory_needs(residency.components(),
                                 {.text_encoders = text_encoders,
                                  .prior = prior.index(),
                                  .image_encoder = index_of(image_encoder),
                                  .unet = needed.index(),
                                  .movq = movq.index()},
                                 {.unet = unet_config,
                                  .movq = movq_config,
                                  .geometry = geometry,
                                  .prior_row_elements = prior_row_elements,
                                  .image_tokens = kind.image_tokens,
                                  .images_at_once = at_once,
                                  .prior_placement = prior.placement(),
                                  .unet_placement = needed.placement(),
                                  .movq_placement = movq.placement()},
                                 job);
}

void Kandinsky2Models::unload() {
  prior_text_encoder.unload();
  if (image_encoder) image_encoder->unload();
  prior.unload();
  if (decoder_text) decoder_text->text_encoder.unload();
  unet.unload();
  if (inpaint_unet) inpaint_unet->unload();
  movq.unload();
  trim_heap();
}

}  // namespace kandinsky::pipelines
