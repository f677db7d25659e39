#include "pipelines/paint.h"

#include "base/error.h"
#include "tensor/bridge.h"

namespace kandinsky::pipelines {

void paint(Pipeline& pipeline, const Embeds& embeds, const Embeds* negative_embeds,
           const DenoiseRequest& request, const Monitor& monitor, uint8_t* pictures) {
  pipeline.check(request);
  const at::Tensor latents = pipeline.denoise(embeds, negative_embeds, request, monitor);
  tensor::to_pictures(pipeline.decode(latents, request.tiling, monitor), request.height,
                      request.width, pictures);
}

void check_source(const Pipeline&, const SourceRequest&, const DenoiseRequest&) {
  throw Error(ErrorCode::kUnsupported, "pictures to start from come with the next commits");
}

void paint_from(Pipeline&, const SourceRequest&, const Embeds&, const Embeds*,
                const DenoiseRequest&, const Monitor&, uint8_t*) {
  throw Error(ErrorCode::kUnsupported, "pictures to start from come with the next commits");
}

}  // namespace kandinsky::pipelines
