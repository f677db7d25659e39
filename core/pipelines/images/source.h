/// A job's start images: from their own sizes to latents, and back into the result.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/images/image.h"
#include "options/requests.h"
#include "options/types.h"
#include "pipelines/geometry.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"

namespace kandinsky::pipelines {

/// Images and masks at the generated size, without duplicates.
struct Source {
  /// One image of the batch, as indices into the lists below.
  struct Row {
    size_t image = 0;
    size_t mask = 0;       ///< unused without masks
    bool is_kept = false;  ///< its mask is black everywhere
  };
  std::vector<Row> rows;                 ///< [B]
  std::vector<io::Image> images;         ///< RGB
  std::vector<io::Image> soft_masks;     ///< grey, as images::soften_mask; empty: none
  std::vector<at::Tensor> latent_masks;  ///< [1, 1, h, w], 1: inpaint; as many as soft_masks
  MaskFill mask_fill = MaskFill::kOriginal;
  bool composite = true;
  /// Nothing to generate: no step runs, or all masks are black. The images are the result.
  bool unchanged = false;
};

/// The request with stand-ins without memory for its latents. Throws
/// Error(kInvalidArgument) for a source that does not fit the request, and for a request with its
/// own init_latents or mask.
DenoiseRequest with_stand_ins(const Geometry& geometry, const SourceRequest& source,
                              const DenoiseRequest& request);

/// Resizes images and masks to the generated size; runs no network. Reports empty masks through the
/// monitor. request: with stand-ins, and checked.
Source prepare_source(const Geometry& geometry, const SourceRequest& source,
                      const DenoiseRequest& request, const Monitor& monitor);

/// Sets init_latents and mask of the request. Each distinct image is encoded once; sides that are
/// not multiples of the size multiple are padded by repeating the border. Noise for
/// MaskFill::kLatentNoise has its own stream from the images' seeds.
void start_from(Pipeline& pipeline, const Source& source, DenoiseRequest* request,
                const Monitor& monitor);

/// Restores the images outside their masks, bit for bit, unless composite is off; completely for
/// empty masks. generated: uint8 [B, height, width, 3], changed in place.
void restore_images(const Source& source, uint8_t* generated);

}  // namespace kandinsky::pipelines
