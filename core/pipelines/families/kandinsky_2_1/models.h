#pragma once

#include <optional>
#include <utility>

#include "io/json_config.h"
#include "nn/encoders/clip_text.h"
#include "nn/encoders/clip_vision.h"
#include "nn/encoders/mclip.h"
#include "nn/movq/movq.h"
#include "nn/prior/prior_transformer.h"
#include "nn/unet/unet.h"
#include "pipelines/families/kandinsky_2_1/folders.h"
#include "pipelines/families/kandinsky_2_1/memory.h"
#include "pipelines/memory/component.h"
#include "pipelines/memory/residency.h"
#include "samplers/noise_schedule.h"
#include "samplers/unclip.h"
#include "text/clip_bpe.h"
#include "text/xlmr_unigram.h"

namespace kandinsky::pipelines {

/// The networks of a Kandinsky 2.1 model and what they are run with; weights are loaded when they
/// are first used. It must stay where it is.
class Kandinsky21Models {
 public:
  /// Throws Error when the folders or their parts do not fit.
  Kandinsky21Models(const io::ModelDir& model, const io::ModelDir& prior_dir,
                    const std::optional<io::ModelDir>& inpaint_dir, const Placements& placements);
  Kandinsky21Models(const Kandinsky21Models&) = delete;
  Kandinsky21Models& operator=(const Kandinsky21Models&) = delete;

  /// Whether a job is for inpaint_unet instead of unet.
  bool takes_inpaint_unet(bool has_mask, MaskMethod method) const;

  /// What the job needs, with the components' sizes as they are now.
  MemoryNeeds memory_needs(const JobOutline& job) const;

  /// Frees all weights.
  void unload();

  const io::ModelDir prior_dir;
  const std::optional<io::ModelDir> inpaint_dir;  ///< the model itself if it is an inpainting one
  const tensor::Placement placement;              ///< of UNet and MoVQ
  const text::ClipTokenizer prior_tokenizer;
  const text::XlmrTokenizer tokenizer;
  const samplers::UnclipSchedule prior_schedule;
  const samplers::NoiseSchedule schedule;
  const nn::UNetConfig unet_config;
  const nn::MovqConfig movq_config;
  const int64_t prior_row_elements;
  const Geometry geometry;
  Residency residency;
  Component<nn::ClipTextEncoder> prior_text_encoder;
  Component<nn::ClipVisionEncoder> image_encoder;
  Component<nn::PriorTransformer> prior;
  Component<nn::MultilingualClip> text_encoder;
  Component<nn::UNet> unet;
  std::optional<Component<nn::UNet>> inpaint_unet;
  Component<nn::Movq> movq;
};

}  // namespace kandinsky::pipelines
