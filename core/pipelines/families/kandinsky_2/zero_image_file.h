/// The image embedding of the zero image, used without a negative prompt. It is a
/// constant of the model: a few values from the largest tower. So it is computed once, in fp32, and
/// stored in a file in the prior's folder or, if that is read-only, in the user's cache
/// folder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "io/model_dir.h"
#include "nn/encoders/clip_vision.h"
#include "pipelines/memory/component.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

/// Its name in a prior's folder.
inline constexpr const char* kZeroImageFile = "zero_image_embeds.safetensors";

/// The embedding's origin.
struct ZeroImageSource {
  const io::ModelDir& prior;
  int64_t width = 0;                                          ///< of image embeddings
  const Component<nn::ClipVisionEncoder>* encoder = nullptr;  ///< null: missing
};

/// [1, width], fp32 on the CPU; undefined if there is no file or, if the image encoder exists,
/// none made with its weights. Throws Error(kCorruptFile) for a file with other content that cannot
/// be computed again.
at::Tensor load_zero_image(const ZeroImageSource& source);

/// Computes it with the image encoder, which must be there, read layer by layer, and stores it.
/// Reports through the monitor if it cannot be stored.
at::Tensor make_zero_image(const ZeroImageSource& source, const Monitor& monitor);

}  // namespace kandinsky::pipelines
