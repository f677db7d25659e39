/// The interface of model families.
#pragma once

#include <cstdint>
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

/// A summary of a memory plan.
struct MemorySummary {
  int64_t budget = 0;  ///< bytes, as are the others
  int64_t peak = 0;    ///< of the next such job, including the process itself
  int64_t least = 0;   ///< the smallest budget with which the job would run
  bool holds_everything = false;
  std::string text;
};

/// An opened model: its stages from texts to images. Weights are loaded by the first call that
/// needs them. Not thread-safe. Latents and embeds are fp32 on the CPU; rows are independent.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  virtual const Geometry& geometry() const = 0;
  virtual std::string_view prior_path() const = 0;
  /// The folder of the inpainting model; empty if there is none.
  virtual std::string_view inpaint_path() const = 0;
  /// The sampler that is meant by options::kOwnSampler.
  virtual const char* own_sampler() const = 0;
  /// Whether the model needs hints.
  virtual bool takes_hints() const = 0;

  /// Throws Error(kInvalidArgument) for an unsupported job, so that it fails before any
  /// work. The functions below assume checked requests.
  virtual void check(const Job& job) const = 0;

  struct EncodedPrompts {
    Embeds embeds;
    Embeds negative_embeds;
  };
  virtual EncodedPrompts encode_prompts(const PromptRequest& request, const Monitor& monitor) = 0;

  /// Embeds of images instead of texts: image_embeds is the image encoder's output, the text
  /// part, if any, that of the empty text. One row per image.
  virtual Embeds encode_images(const std::vector<io::Image>& images, const Monitor& monitor) = 0;

  /// negative_embeds may be null when guidance is off. Returns latents [B, C, h, w].
  virtual at::Tensor denoise(const Embeds& embeds, const Embeds* negative_embeds,
                             const DenoiseRequest& request, const Monitor& monitor) = 0;

  /// latents: [B, C, h, w] -> pixels [B, 3, H, W] in about [-1, 1]. tiling: the image is tileable.
  virtual at::Tensor decode(const at::Tensor& latents, bool tiling, const Monitor& monitor) = 0;

  /// pixels: [B, 3, H, W] in [-1, 1], sides multiples of size_multiple -> latents.
  virtual at::Tensor encode(const at::Tensor& pixels, bool tiling, const Monitor& monitor) = 0;

  /// Makes a memory plan, which holds until the next plan; without one, weights stay
  /// loaded. max_memory: limit in bytes, 0: the free memory.
  /// Reports the plan through the monitor unless everything stays loaded. Throws
  /// Error(kOutOfMemory), with the smallest possible budget, if the budget is too small.
  virtual void plan_memory(const Job& job, int64_t max_memory, const Monitor& monitor) = 0;

  /// Returns that plan without applying it. Throws alike.
  virtual MemorySummary describe_memory(const Job& job, int64_t max_memory) const = 0;

  /// Frees all weights and all cached embeds.
  virtual void unload() = 0;
};

}  // namespace kandinsky::pipelines
