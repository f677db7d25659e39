#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "nn/movq/movq_config.h"
#include "nn/unet/unet.h"
#include "pipelines/geometry.h"
#include "pipelines/job.h"
#include "pipelines/memory/memory_plan.h"
#include "tensor/device.h"
#include "text/tokens.h"

namespace kandinsky::pipelines {

/// The layouts of the networks' weights.
WeightLayout clip_text_layout();
WeightLayout clip_vision_layout();
WeightLayout multilingual_clip_layout();
WeightLayout prior_layout();
WeightLayout unet_layout();
WeightLayout movq_layout();

/// The components' indices in a residency.
struct ModelIndices {
  std::vector<size_t> text_encoders;  ///< needed by the job's texts
  size_t prior = 0;
  std::optional<size_t> image_encoder;  ///< empty: none
  size_t unet = 0;                      ///< the one that generates
  size_t movq = 0;
};

/// The properties of a job that its memory depends on.
struct JobOutline {
  bool encodes_texts = false;
  bool encodes_images = false;  ///< for their embeds
  bool needs_zero_image = false;
  bool denoises = false;
  bool encodes = false;
  bool decodes = false;
  bool shows_mask = false;  ///< an inpainting UNet gets the mask
  int64_t width = 0;        ///< pixels, as is height; unused by jobs for embeds only
  int64_t height = 0;
  int64_t batch_size = 1;
  int64_t kept_features = 0;  ///< maximum entries of the feature cache, each for a pair of samples
  /// Rows of embeds that guide the images, and negative rows.
  int64_t rows = 1;
  int64_t negative_rows = 1;
  int64_t text_tokens = text::kDefaultMaxLength;  ///< of the longest row, without image tokens
  int64_t prior_rows = 3;   ///< of one run of the prior: prompt, unconditional and negative
  int64_t prior_items = 1;  ///< runs of the prior
};

/// has_inpainting_unet: one that can get the job's mask. has_decoder_text: see
/// Kandinsky2Kind.
JobOutline outline_of(const Job& job, bool has_inpainting_unet, bool has_decoder_text);

/// Other properties that the stages' memory depends on.
struct ModelSizes {
  nn::UNetConfig unet;
  nn::MovqConfig movq;
  Geometry geometry;
  int64_t prior_row_elements = 0;  ///< of the prior's KV cache for each row's text
  int64_t image_tokens = 0;        ///< see Kandinsky2Kind
  int64_t images_at_once = 1;      ///< would be fastest
  tensor::Placement prior_placement;
  tensor::Placement unet_placement;
  tensor::Placement movq_placement;
};

/// The stages of a job with their memory besides weights, and the memory of the process itself.
/// Throws Error(kInvalidArgument) for an image size out of range.
MemoryNeeds memory_needs(const std::vector<ComponentMemory>& components,
                         const ModelIndices& indices, const ModelSizes& sizes,
                         const JobOutline& job);

}  // namespace kandinsky::pipelines
