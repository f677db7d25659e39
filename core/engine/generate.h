/// Whole tasks: from embeds and start images to images.
#pragma once

#include <cstdint>

#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/images/source.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"

namespace kandinsky::engine {

/// Denoises and decodes. images: uint8 [B, height, width, 3], written when all are finished.
void generate(pipelines::Pipeline& pipeline, const pipelines::Embeds& embeds,
              const pipelines::Embeds* negative_embeds, const DenoiseRequest& request,
              const pipelines::Monitor& monitor, uint8_t* images);

/// The same from the images of prepare_source(), which are restored outside their masks. An
/// unchanged source needs no embeds.
void generate_from(pipelines::Pipeline& pipeline, const pipelines::Source& source,
                   const pipelines::Embeds& embeds, const pipelines::Embeds* negative_embeds,
                   const DenoiseRequest& request, const pipelines::Monitor& monitor,
                   uint8_t* images);

}  // namespace kandinsky::engine
