#pragma once

#include <cstdint>
#include <optional>

#include "io/model_dir.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/movq/movq.h"
#include "nn/movq/movq_config.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "options/requests.h"
#include "pipelines/denoise/check_request.h"
#include "pipelines/families/kandinsky_2/kind.h"
#include "pipelines/families/kandinsky_2/memory.h"
#include "pipelines/family.h"
#include "pipelines/geometry.h"
#include "pipelines/memory/component.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/memory/residency.h"
#include "pipelines/text/encode_prompts.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"
#include "tensor/device.h"
#include "text/clip_bpe.h"

namespace kandinsky::pipelines {

/// The networks of a model with their settings; weights are loaded at their first use. It must
/// not move.
class Kandinsky2Models {
 public:
  /// Throws Error when the folders or their parts do not fit together.
  Kandinsky2Models(const Kandinsky2Kind& kind, const io::ModelDir& model,
                   const io::ModelDir& prior_dir, const std::optional<io::ModelDir>& inpaint_dir,
                   const Placements& placements);
  Kandinsky2Models(const Kandinsky2Models&) = delete;
  Kandinsky2Models& operator=(const Kandinsky2Models&) = delete;

  /// The model's properties for check_request().
  ModelLimits limits() const;

  /// Whether an inpainting UNet gets the request's mask, if any. Not with hints, which it does not
  /// support.
  bool has_inpainting_unet(const DenoiseRequest& request) const {
    return inpaint_dir.has_value() && request.hints.empty();
  }

  /// Whether a job uses inpaint_unet instead of unet.
  bool takes_inpaint_unet(bool shows_mask) const { return inpaint_unet && shows_mask; }

  /// The job's needs, with the components' current sizes.
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
  const samplers::NoiseSchedule inpaint_schedule;  ///< of inpaint_unet, which may clip
                                                   ///< differently
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
