#pragma once

#include <cstdint>
#include <vector>

#include "io/images/image.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/geometry.h"

namespace kandinsky::pipelines {

/// The work of a job; null and false for stages that it does not have. The caller owns
/// everything.
struct Job {
  const PromptRequest* prompts = nullptr;          ///< texts to encode
  const std::vector<io::Image>* images = nullptr;  ///< images to encode as embeds
  /// Embeds to denoise with, if no texts are encoded.
  const Embeds* embeds = nullptr;
  const Embeds* negative_embeds = nullptr;
  /// Init latents and mask that the job makes later are present as stand-ins.
  const DenoiseRequest* denoise = nullptr;
  bool encodes = false;  ///< images to latents
  bool decodes = false;  ///< latents to images
  int64_t width = 0;     ///< pixels of the images to denoise, encode or decode, as is height
  int64_t height = 0;
  int64_t batch_size = 1;
  bool tiling = false;

  bool has_size() const { return denoise != nullptr || encodes || decodes; }
};

/// Throws Error(kInvalidArgument) for a job that no model supports.
void check_job(const Job& job, const Geometry& geometry);

/// A job that denoises.
inline Job job_of(const DenoiseRequest& request) {
  return {.denoise = &request,
          .width = request.width,
          .height = request.height,
          .batch_size = static_cast<int64_t>(request.seeds.size()),
          .tiling = request.tiling};
}

}  // namespace kandinsky::pipelines
