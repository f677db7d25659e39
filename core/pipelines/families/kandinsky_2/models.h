#pragma once

#include <optional>
#include <utility>

#include "io/json_config.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "pipelines/denoise/check_request.h"
#include "pipelines/families/kandinsky_2/folders.h"
#include "pipelines/families/kandinsky_2/memory.h"
#include "pipelines/family.h"
#include "pipelines/memory/component.h"
#include "pipelines/memory/residency.h"
#include "pipelines/text/encode_prompts.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"
#include "text/clip_bpe.h"

namespace kandinsky::pipelines {

/// The networks of a model and what they are run with; weights are loaded when they
/// are first used. It must stay where it is.
class Kandinsky2Models {
 public:
  /// Throws Error when the folders or their parts do not fit.
  Kandinsky2Models(const Kandinsky2Kind& kind, const io::ModelDir& model,
                   const io::ModelDir& prior_dir, const std::optional<io::ModelDir>& inpaint_dir,
                   const Placements& placements);
  Kandinsky2Models(const Kandinsky2Models&) = delete;
  Kandinsky2Models& operator=(const Kandinsky2Models&) = delete;

  /// What of the model requests depend on.
  ModelLimits limits() const;

  /// Whether there is an inpainting UNet that the request's mask, if it has one, is shown to. With
  /// hints there is none: it takes no hints.
  bool has_inpainting_unet(const DenoiseRequest& request) const {
    return inpaint_dir.has_value() && request.hints.empty();
  }

  /// Whether a job is for inpaint_unet instead of unet.
  bool takes_inpaint_unet(bool shows_mask) const { return inpaint_unet && shows_mask; }

  /// What the job needs, with the components' sizes as they are now.
  MemoryNeeds memory_needs(const JobOutline& job) const;

  /// Frees all weights.
  void unload();

  const Kandinsky2Kind& kind;
  const io::ModelDir prior_dir;
  const std::optional<io::ModelDir> inpaint_dir;  ///< the model itself if it is an inpainting one
  const tensor::Placement placement;              ///< of UNet and MoVQ
  const text::ClipTokenizer prior_tokenizer;
  const samplers::UnclipSchedule prior_schedule;
  const samplers::NoiseSchedule schedule;
  const samplers::NoiseSchedule inpaint_schedule;  ///< of inpaint_unet: it may bound its latents
                                                   ///< otherwise
  const nn::UNetConfig unet_config;
  const nn::MovqConfig movq_config;
  const int64_t prior_row_elements;
  const Geometry geometry;
  Residency residency;
  Component<nn::ClipTextEncoder> prior_text_encoder;
  std::optional<Component<nn::ClipVisionEncoder>> image_encoder;
  Component<nn::PriorTransformer> prior;
  std::optional<DecoderTextModels> decoder_text;
  Component<nn::UNet> unet;
  std::optional<Component<nn::UNet>> inpaint_unet;
  Component<nn::Movq> movq;
};

}  // namespace kandinsky::pipelines
