#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "io/images/image.h"
#include "io/json_config.h"
#include "nn/encoders/clip_vision.h"

namespace kandinsky::pipelines {

/// Images of any size -> the image encoder's input.
class ImageProcessor {
 public:
  /// json: preprocessor_config.json; image_size: the encoder's. Throws Error(kIncompatible) if they
  /// disagree, Error(kUnsupported) for another processing than CLIP's.
  ImageProcessor(const io::JsonConfig& json, int64_t image_size);

  /// Returns [1, 3, image_size, image_size]: the short side resized to image_size, the middle of
  /// the long one, normalised. RGBA is blended on white. Bit-identical to the source for the RGB
  /// image, and also works for shapes where the source runs out of memory. Throws
  /// Error(kInvalidArgument) as io::check_image. Source: transformers,
  /// CLIPImageProcessor.preprocess.
  at::Tensor operator()(const io::Image& image) const;

 private:
  int64_t image_size_;
  double rescale_factor_;
  std::array<float, 3> mean_;
  std::array<float, 3> std_;
};

/// Returns the image's image_embeds [1, E], fp32 on the CPU. One image at a time: rows of a larger
/// batch would be rounded differently.
at::Tensor encode_image(const nn::ClipVisionEncoder& encoder, const ImageProcessor& processor,
                        const io::Image& image);

}  // namespace kandinsky::pipelines
