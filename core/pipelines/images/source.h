/// The images that a job starts from: from their own sizes to the latents, and back over the
/// result.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/images/image.h"
#include "pipelines/pipeline.h"

namespace kandinsky::pipelines {

/// Images and masks at the generated size, each distinct one once.
struct Source {
  /// One image of the batch, by places in the lists below.
  struct Row {
    size_t image = 0;
    size_t mask = 0;       ///< without meaning where there are no masks
    bool is_kept = false;  ///< its mask is black everywhere
  };
  std::vector<Row> rows;                 ///< [B]
  std::vector<io::Image> images;         ///< RGB
  std::vector<io::Image> soft_masks;     ///< grey, as images::soften_mask; empty: none
  std::vector<at::Tensor> latent_masks;  ///< [1, 1, h, w], 1: inpaint; as many as soft_masks
  MaskFill mask_fill = MaskFill::kOriginal;
  bool composite = true;
  /// Nothing is to be generated: no step runs, or all masks are black. The result is the images.
  bool unchanged = false;
};

/// The request as it will be once the latents are there, for which stand-ins take no memory. Throws
/// Error(kInvalidArgument) for a source that does not fit the request, and for a request that has
/// init_latents or a mask of its own.
DenoiseRequest with_stand_ins(const Geometry& geometry, const SourceRequest& source,
                              const DenoiseRequest& request);

/// Brings images and masks to the generated size; runs no network. Says through the monitor where
/// nothing is to be inpainted. request: with stand-ins, and checked.
Source prepare_source(const Geometry& geometry, const SourceRequest& source,
                      const DenoiseRequest& request, const Monitor& monitor);

/// Sets init_latents and mask of the request. Each distinct image is encoded once; sides that are
/// no multiple of the size multiple are filled up by repeating the border. Noise for
/// MaskFill::kLatentNoise comes from the images' seeds, by a stream of its own.
void start_from(Pipeline& pipeline, const Source& source, DenoiseRequest* request,
                const Monitor& monitor);

/// Puts the images back outside their masks, bit for bit, unless composite is off; whole where
/// nothing was to be inpainted. generated: uint8 [B, height, width, 3], changed in place.
void restore_images(const Source& source, uint8_t* generated);

}  // namespace kandinsky::pipelines
