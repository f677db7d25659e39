/// The options of an engine and of its jobs: a field for each row of options.def, which describes
/// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "options/types.h"

namespace kandinsky {

#define KANDINSKY_FIELD(group, Type, name, value, ...) type::Type::Value name = value;

/// The models and how they run.
struct EngineOptions {
#define ENGINE_ROW KANDINSKY_FIELD
#include "options/options.def"
};

/// Texts to encode, and how to sample the prior.
struct PromptRequest {
#define PROMPT_ROW KANDINSKY_FIELD
#include "options/options.def"
  std::vector<uint64_t> seeds;        ///< as many as prompts
  bool wants_embeds = true;           ///< off: skip the work for the positive side
  bool wants_negative_embeds = true;  ///< likewise

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;

  /// Steps of the prior that run: all, or with prior_images the fraction prior_strength,
  /// rounded down as in the reference.
  int num_running_prior_steps() const;
};

/// How to turn noise into latents.
struct DenoiseRequest {
#define DENOISE_ROW KANDINSKY_FIELD
#include "options/options.def"

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;

  /// Steps that run: num_inference_steps, or with init_latents the fraction strength, rounded
  /// down as in the reference.
  int num_running_steps() const;
};

/// Start images.
struct SourceRequest {
#define SOURCE_ROW KANDINSKY_FIELD
#include "options/options.def"

  /// Throws Error(kInvalidArgument) naming the field.
  void check(size_t batch_size) const;
};

#undef KANDINSKY_FIELD

/// Whether an inpainting UNet gets the mask, or the start latents are restored outside it.
inline bool shows_mask(bool has_mask, MaskMethod method, bool has_inpainting_unet) {
  return has_mask && has_inpainting_unet && method != MaskMethod::kBlend;
}

/// Throws Error(kInvalidArgument) for sides out of range, and for more pixels than an image file
/// may have.
void check_size(int64_t width, int64_t height);

/// Throws Error(kInvalidArgument) unless 1 to kMaxBatchSize.
void check_batch_size(int64_t batch_size);

}  // namespace kandinsky
