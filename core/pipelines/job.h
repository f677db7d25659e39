#pragma once

#include <cstdint>
#include <vector>

#include "io/images/image.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/geometry.h"

namespace kandinsky::pipelines {

/// What a job does, by what it was given; null and false for what it does not do. All of it belongs
/// to the caller.
struct Job {
  const PromptRequest* prompts = nullptr;          ///< texts to encode
  const std::vector<io::Image>* images = nullptr;  ///< images to encode as embeds
  /// Embeds to denoise with, if no texts are encoded before.
  const Embeds* embeds = nullptr;
  const Embeds* negative_embeds = nullptr;
  /// Init latents and mask that the job is still to make are there as stand-ins.
  const DenoiseRequest* denoise = nullptr;
  bool encodes = false;  ///< images to latents
  bool decodes = false;  ///< latents to images
  int64_t width = 0;  ///< pixels of the images that are denoised, encoded or decoded, as is height
  int64_t height = 0;
  int64_t batch_size = 1;
  bool tiling = false;

  bool has_size() const { return denoise != nullptr || encodes || decodes; }
};

/// Throws Error(kInvalidArgument) for what no model could do.
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
