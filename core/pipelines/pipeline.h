/// What every model family offers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/images/image.h"
#include "options/requests.h"
#include "pipelines/embeds.h"
#include "pipelines/geometry.h"
#include "pipelines/job.h"
#include "pipelines/monitor.h"

namespace kandinsky::pipelines {

/// A memory plan in few words.
struct MemorySummary {
  int64_t budget = 0;  ///< bytes, as are the others
  int64_t peak = 0;    ///< in memory at most, with what the process takes anyway
  int64_t least = 0;   ///< the smallest budget with which the job would run
  bool holds_everything = false;
  std::string text;
};

/// One opened model: its stages from texts to images. Weights are loaded by the first call that
/// needs them. Not thread-safe. Latents and embeds are fp32 on the CPU; rows never influence each
/// other.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  virtual const Geometry& geometry() const = 0;
  virtual std::string_view prior_path() const = 0;
  /// The folder of the inpainting model; empty if there is none.
  virtual std::string_view inpaint_path() const = 0;
  /// Whether its images need hints.
  virtual bool takes_hints() const = 0;

  /// Throws Error(kInvalidArgument) for a job that cannot be done, so that it fails before any
  /// work. What follows takes requests of jobs that were checked, and asks nothing again.
  virtual void check(const Job& job) const = 0;

  struct EncodedPrompts {
    Embeds embeds;
    Embeds negative_embeds;
  };
  virtual EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) = 0;

  /// Embeds of images instead of texts: image_embeds is what the image encoder sees, the text
  /// part, if there is one, that of the empty text. One row per image.
  virtual Embeds encode_images(const std::vector<io::Image>& images, const Monitor& monitor) = 0;

  /// negative_embeds may be null when guidance is off. Returns latents [B, C, h, w].
  virtual at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                             const DenoiseRequest& request, const Monitor& monitor) = 0;

  /// latents: [B, C, h, w] -> pixels [B, 3, H, W] in about [-1, 1]. tiling: opposite borders fit.
  virtual at::Tensor decode(const at::Tensor& latents, bool tiling, const Monitor& monitor) = 0;

  /// pixels: [B, 3, H, W] in [-1, 1], sides multiples of size_multiple -> latents.
  virtual at::Tensor encode(const at::Tensor& pixels, bool tiling, const Monitor& monitor) = 0;

  /// Plans what is in memory when, and keeps to it until the next plan; without one, weights stay
  /// once they are loaded. max_memory: bytes that the process may hold for it, 0: what is free.
  /// Says through the monitor when not everything stays loaded. Throws Error(kOutOfMemory) naming
  /// the smallest possible budget for one that is too small.
  virtual void plan_memory(const Job& job, int64_t max_memory, const Monitor& monitor) = 0;

  /// What that plan would be. Throws alike.
  virtual MemorySummary describe_memory(const Job& job, int64_t max_memory) const = 0;

  /// Frees all weights.
  virtual void unload() = 0;
};

}  // namespace kandinsky::pipelines
