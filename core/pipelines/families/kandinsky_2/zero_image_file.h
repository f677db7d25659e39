/// The image embedding of an empty image, which stands for an absent negative prompt. It is a
/// constant of the model: a few values from the largest tower. So it is computed once, in fp32, and
/// kept in a file in the prior's folder or, where nothing can be written there, in the user's cache
/// folder.
#pragma once

#include <ATen/core/Tensor.h>

#include "io/model_dir.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

/// Its name in a prior's folder.
inline constexpr const char* kZeroImageFile = "zero_image_embeds.safetensors";

/// What it is of.
struct ZeroImageSource {
  const io::ModelDir& prior;
  int64_t width = 0;  ///< of image embeddings
  bool has_image_encoder = false;
};

/// [1, width], fp32 on the CPU; undefined if no file is there or, where the image encoder is there,
/// none that was made with its weights. Throws Error(kCorruptFile) for a file that holds something
/// else and cannot be made again.
at::Tensor load_zero_image(const ZeroImageSource& source);

/// Computes it with the image encoder, read layer by layer, and keeps it. Says through the monitor
/// where it cannot be kept.
at::Tensor make_zero_image(const ZeroImageSource& source, const Monitor& monitor);

}  // namespace kandinsky::pipelines
