#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "io/images/image.h"
#include "io/model_dir.h"
#include "nn/encoders/clip_vision.h"
#include "pipelines/memory/component.h"
#include "pipelines/monitor.h"
#include "pipelines/text/prompt_cache.h"

namespace kandinsky::pipelines {

/// The image encoder, and how it wants its images. The caller owns everything.
struct ImageModels {
  Component<nn::ClipVisionEncoder>& encoder;
  const io::ModelDir& prior;     ///< the folder of both
  PromptCache* cache = nullptr;  ///< null: no cache
};

/// The image embeddings [B, E] of images, fp32 on the CPU. Cached ones are not computed again, and
/// the encoder is loaded only for others.
at::Tensor image_embeds(const ImageModels& models, const std::vector<io::Image>& images,
                        const Monitor& monitor);

}  // namespace kandinsky::pipelines
