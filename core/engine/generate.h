/// Whole tasks: from embeds, and images to start from, to images.
#pragma once

#include <cstdint>

#include "pipelines/images/source.h"
#include "pipelines/pipeline.h"

namespace kandinsky::engine {

/// Denoises and decodes. images: uint8 [B, height, width, 3], written once all are there.
void generate(pipelines::Pipeline& pipeline, const pipelines::Embeds& embeds,
              const pipelines::Embeds* negative_embeds, const DenoiseRequest& request,
              const pipelines::Monitor& monitor, uint8_t* images);

/// The same from the images of prepare_source(), which come back outside of their masks. A source
/// that is unchanged needs no embeds.
void generate_from(pipelines::Pipeline& pipeline, const pipelines::Source& source,
                   const pipelines::Embeds& embeds, const pipelines::Embeds* negative_embeds,
                   const DenoiseRequest& request, const pipelines::Monitor& monitor,
                   uint8_t* images);

}  // namespace kandinsky::engine
