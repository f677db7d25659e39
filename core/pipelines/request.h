/// Everything one job needs to know, with defaults and ranges.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/resize.h"
#include "io/image.h"

namespace kandinsky::pipelines {

inline constexpr int64_t kMaxBatchSize = 64;
inline constexpr int64_t kMaxSide = 16384;
inline constexpr double kMaxGuidanceScale = 100.0;
inline constexpr int kMaxMaskBlur = 64;
inline constexpr int kMaxCacheInterval = 100;

/// What stands on the image side of the negative embeds.
enum class NegativeImage : int {
  kZero,   ///< the embedding of an empty picture: no colour of its own
  kPrior,  ///< the prior's result for the text that it steers away from, or the empty picture
           ///< without one: what the reference does
};

/// Texts to encode, and how to sample the prior.
struct PromptRequest {
  std::vector<std::string> prompts;                          ///< 1 to kMaxBatchSize, UTF-8
  std::optional<std::vector<std::string>> negative_prompts;  ///< absent, or as many as prompts
  /// What the prior steers away from; absent: negative_prompts.
  std::optional<std::vector<std::string>> negative_prior_prompts;
  std::vector<uint64_t> seeds;   ///< as many as prompts
  int num_inference_steps = 25;  ///< 2 to 1000
  double guidance_scale = 4.0;   ///< 0 to kMaxGuidanceScale; 1 and less: off
  NegativeImage negative_image = NegativeImage::kZero;
  bool parse_weights = true;  ///< read (word:1.3), [word] and BREAK; off: they are plain text
  bool long_prompts = false;  ///< read prompts in chunks of 75 tokens; off: cut after the first
  bool wants_embeds = true;   ///< off: leave out the work for the positive side
  bool wants_negative_embeds = true;  ///< likewise

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;
};

/// One row of embeds at work for one picture during some steps. Rows of one picture and step add up
/// by their weights, as "AND" of hosts does.
struct Condition {
  int64_t row = 0;
  int64_t picture = 0;
  int first_step = 1;  ///< counted from 1 over num_inference_steps
  int last_step = 0;
  double weight = 1.0;
};

/// Where image to image begins on the noise schedule.
enum class InitNoise : int {
  kMatched,    ///< noise of the sampler's own first step
  kReference,  ///< diffusers' second table, which is noisier; DDIM and DDPM only
};

/// Which network paints where a mask is given.
enum class MaskMethod : int {
  kAuto,   ///< the inpainting model if there is one, else kBlend
  kModel,  ///< the inpainting model; an error without one
  kBlend,  ///< the model itself, putting the start latents back outside the mask at each step
};

/// Whether an inpainting UNet is shown the mask, or the start latents are put back around it.
inline bool shows_mask(bool has_mask, MaskMethod method, bool has_inpainting_unet) {
  return has_mask && has_inpainting_unet && method != MaskMethod::kBlend;
}

/// How to turn noise into latents.
struct DenoiseRequest {
  int64_t width = 512;                  ///< pixels, 1 to kMaxSide
  int64_t height = 512;                 ///< likewise
  std::vector<uint64_t> seeds;          ///< 1 to kMaxBatchSize
  std::string sampler = "DDIM";         ///< a name in the samplers' table
  std::string scheduler = "Automatic";  ///< a name in the schedulers' table
  int num_inference_steps = 50;         ///< the sampler's own range
  double guidance_scale = 4.0;          ///< 0 to kMaxGuidanceScale; 1 and less: off
  double guidance_rescale = 0.0;        ///< 0 to 1; 0: off
  double guidance_start = 0.0;          ///< part of the steps after which guidance sets in
  double guidance_end = 1.0;            ///< part of the steps after which it ends
  bool tiling = false;                  ///< opposite borders fit each other
  int cache_interval = 1;  ///< the UNet's inner levels run in every so many evaluations, 1 to
                           ///< kMaxCacheInterval; see FeatureCache
  at::Tensor noise;        ///< [B, C, h, w] to start from; undefined: from the seeds
  std::vector<uint64_t> variation_seeds;  ///< empty, or as many as seeds
  double variation_strength = 0.0;        ///< 0 to 1: from the seeds' noise to the variations'
  int64_t seed_resize_width = 0;          ///< draw noise for this size and centre it; 0: off
  int64_t seed_resize_height = 0;         ///< likewise
  at::Tensor init_latents;                ///< [B, C, h, w]; undefined: text to image
  double strength = 0.75;  ///< part of the schedule that runs on init_latents, 0 to 1
  InitNoise init_noise = InitNoise::kMatched;
  at::Tensor mask;  ///< [B, 1, h, w], 1: repaint, 0: keep; needs init_latents; undefined: none
  MaskMethod mask_method = MaskMethod::kAuto;
  std::vector<Condition> conditions;           ///< empty: row i guides picture i
  std::vector<Condition> negative_conditions;  ///< likewise

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;

  /// Steps that run: num_inference_steps, or with init_latents the part that strength says, rounded
  /// down as the reference does.
  int num_running_steps() const;
};

using images::ResizeMode;

/// What the masked part holds before painting.
enum class MaskFill : int {
  kOriginal,       ///< the picture
  kFill,           ///< colours from around
  kLatentNoise,    ///< latents of unit normal noise from the picture's seed
  kLatentNothing,  ///< latents of zeros
};

/// Pictures to start from.
struct SourceRequest {
  std::vector<io::Image> pictures;  ///< 1 for all, or as many as seeds; any size, grey, RGB, RGBA
  /// None, 1, or as many as seeds, as large as their pictures; white: repaint, from a luma of 128
  /// on; transparent places are black.
  std::vector<io::Image> masks;
  ResizeMode resize = ResizeMode::kStretch;
  int mask_blur = 4;         ///< pixels, 0 to kMaxMaskBlur: standard deviation of the soft border
  bool invert_mask = false;  ///< black: repaint
  MaskFill mask_fill = MaskFill::kOriginal;
  /// Widen the repainted latents by the reference's neighbour rule. With and without it they cover
  /// every pixel of the mask and its soft border.
  bool erode_mask = true;
  bool composite = true;  ///< put the picture's own pixels back outside the mask, bit for bit

  /// Throws Error(kInvalidArgument) naming the field.
  void check(size_t batch_size) const;
};

/// Throws Error(kInvalidArgument) for sides that are out of range, and for more pixels than a file
/// of an image may have.
void check_size(int64_t width, int64_t height);

/// Throws Error(kInvalidArgument) unless 1 to kMaxBatchSize.
void check_batch_size(int64_t batch_size);

}  // namespace kandinsky::pipelines
