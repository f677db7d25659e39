#include "engine/generate.h"

#include <cstdint>

#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/images/source.h"
#include "pipelines/monitor.h"
#include "pipelines/pipeline.h"
#include "tensor/bridge.h"

namespace kandinsky::engine {

using pipelines::Embeds;
using pipelines::Monitor;
using pipelines::Pipeline;

void generate(Pipeline& pipeline, const Embeds& embeds, const Embeds* negative_embeds,
              const DenoiseRequest& request, const Monitor& monitor, uint8_t* images) {
  const at::Tensor latents = pipeline.denoise(embeds, negative_embeds, request, monitor);
  tensor::to_images(pipeline.decode(latents, request.tiling, monitor), request.height,
                    request.width, images);
}

void generate_from(Pipeline& pipeline, const pipelines::Source& source, const Embeds& embeds,
                   const Embeds* negative_embeds, const DenoiseRequest& request,
                   const Monitor& monitor, uint8_t* images) {
  if (!source.unchanged) {
    DenoiseRequest started = request;
    start_from(pipeline, source, &started, monitor);
    generate(pipeline, embeds, negative_embeds, started, monitor, images);
  }
  // Nothing below can fail, so the caller's images are complete or unchanged.
  restore_images(source, images);
}

}  // namespace kandinsky::engine
