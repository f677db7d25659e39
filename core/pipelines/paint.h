/// Whole tasks: from embeds, and pictures to start from, to pictures.
#pragma once

#include <cstdint>

#include "pipelines/family.h"

namespace kandinsky::pipelines {

/// Denoises and decodes. pictures: uint8 [B, height, width, 3], written once all are there.
void paint(Pipeline& pipeline, const Embeds& embeds, const Embeds* negative_embeds,
           const DenoiseRequest& request, const Monitor& monitor, uint8_t* pictures);

/// Throws Error(kInvalidArgument) for a source that paint_from() would refuse.
void check_source(const Pipeline& pipeline, const SourceRequest& source,
                  const DenoiseRequest& request);

/// The same from pictures: each distinct one is encoded once, and comes back outside of its mask.
/// request.init_latents and request.mask are made here and must be undefined.
void paint_from(Pipeline& pipeline, const SourceRequest& source, const Embeds& embeds,
                const Embeds* negative_embeds, const DenoiseRequest& request,
                const Monitor& monitor, uint8_t* pictures);

}  // namespace kandinsky::pipelines
