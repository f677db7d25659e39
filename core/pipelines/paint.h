/// Whole tasks: from embeds, and pictures to start from, to pictures.
#pragma once

#include <cstdint>

#include "pipelines/family.h"
#include "pipelines/source.h"

namespace kandinsky::pipelines {

/// Denoises and decodes. pictures: uint8 [B, height, width, 3], written once all are there.
void paint(Pipeline& pipeline, const Embeds& embeds, const Embeds* negative_embeds,
           const DenoiseRequest& request, const Monitor& monitor, uint8_t* pictures);

/// The same from the pictures of prepare_source(), which come back outside of their masks. A source
/// that is unchanged needs no embeds.
void paint_from(Pipeline& pipeline, const Source& source, const Embeds& embeds,
                const Embeds* negative_embeds, const DenoiseRequest& request,
                const Monitor& monitor, uint8_t* pictures);

}  // namespace kandinsky::pipelines
