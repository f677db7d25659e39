#include "pipelines/request.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/prompt_weights.h"
#include "text/unicode.h"

namespace kandinsky::pipelines {
namespace {

void check_guidance(const char* name, double guidance_scale) {
  // Also false for NaN.
  if (guidance_scale >= 0.0 && guidance_scale <= kMaxGuidanceScale) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is {}, expected 0 to {}", name, guidance_scale, kMaxGuidanceScale));
}

void check_part(const char* name, double part) {
  // Also false for NaN.
  if (part >= 0.0 && part <= 1.0) return;
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is {}, expected 0 to 1", name, part));
}

void check_side(const char* name, int64_t side) {
  if (side >= 1 && side <= kMaxSide) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is {} pixels, expected 1 to {}", name, side, kMaxSide));
}

void check_finite(const char* name, const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.isfinite().all().item<bool>()) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} has values that are not finite numbers", name));
}

void check_count(const char* name, size_t count, size_t expected) {
  if (count == expected) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("there are {} {} for {} pictures", count, name, expected));
}

/// Throws what reading the texts would.
void check_texts(const std::vector<std::string>& texts, bool parse_weights) {
  for (const std::string& text : texts) {
    if (parse_weights) {
      text::parse_prompt_weights(text);
    } else {
      text::check_prompt(text);
    }
  }
}

}  // namespace

void check_size(int64_t width, int64_t height) {
  check_side("width", width);
  check_side("height", height);
  io::check_image_size(width, height, "the picture");
}

void check_batch_size(int64_t batch_size) {
  if (batch_size >= 1 && batch_size <= kMaxBatchSize) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("batch size is {}, expected 1 to {}", batch_size, kMaxBatchSize));
}

void PromptRequest::check() const {
  check_batch_size(static_cast<int64_t>(prompts.size()));
  check_count("seeds", seeds.size(), prompts.size());
  if (negative_prompts) check_count("negative prompts", negative_prompts->size(), prompts.size());
  if (negative_prior_prompts) {
    check_count("negative prior prompts", negative_prior_prompts->size(), prompts.size());
  }
  check_guidance("prior guidance scale", guidance_scale);
  check_texts(prompts, parse_weights);
  if (negative_prompts) check_texts(*negative_prompts, parse_weights);
  if (negative_prior_prompts) check_texts(*negative_prior_prompts, parse_weights);
}

void DenoiseRequest::check() const {
  check_batch_size(static_cast<int64_t>(seeds.size()));
  check_size(width, height);
  check_guidance("guidance scale", guidance_scale);
  check_part("guidance rescale", guidance_rescale);
  check_part("guidance start", guidance_start);
  check_part("guidance end", guidance_end);
  if (guidance_start > guidance_end) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("guidance starts at {} of the steps, after its end at {}",
                            guidance_start, guidance_end));
  }
  if (cache_interval < 1 || cache_interval > kMaxCacheInterval) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cache interval is {} evaluations, expected 1 to {}", cache_interval,
                            kMaxCacheInterval));
  }
  check_part("strength", strength);
  check_part("variation strength", variation_strength);
  if (!variation_seeds.empty() || variation_strength > 0.0)
    check_count("variation seeds", variation_seeds.size(), seeds.size());
  if (seed_resize_width != 0 || seed_resize_height != 0) {
    check_side("seed resize width", seed_resize_width);
    check_side("seed resize height", seed_resize_height);
  }
  check_finite("noise", noise);
  check_finite("init latents", init_latents);
  if (!mask.defined()) return;
  if (!init_latents.defined())
    throw Error(ErrorCode::kInvalidArgument, "a mask needs init latents, which it keeps outside");
  check_finite("mask", mask);
  if (!((mask >= 0) & (mask <= 1)).all().item<bool>())
    throw Error(ErrorCode::kInvalidArgument, "mask has values outside of 0 to 1");
}

int DenoiseRequest::num_running_steps() const {
  if (!init_latents.defined()) return num_inference_steps;
  // Truncated like the reference's int(): 0.29 of 100 steps are 28.
  return std::min(static_cast<int>(num_inference_steps * strength), num_inference_steps);
}

void SourceRequest::check(size_t batch_size) const {
  check_count("pictures to start from", pictures.size(), pictures.size() == 1 ? 1 : batch_size);
  if (masks.size() > 1) check_count("masks", masks.size(), batch_size);
  if (mask_blur < 0 || mask_blur > kMaxMaskBlur) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("mask blur is {} pixels, expected 0 to {}", mask_blur, kMaxMaskBlur));
  }
  for (size_t i = 0; i < pictures.size(); ++i)
    io::check_image(pictures[i], fmt::format("picture {} to start from", i + 1));
  for (size_t i = 0; i < masks.size(); ++i)
    io::check_image(masks[i], fmt::format("mask {}", i + 1));
  for (size_t i = 0; i < std::max(pictures.size(), masks.size()) && !masks.empty(); ++i) {
    const io::Image& picture = pictures[pictures.size() == 1 ? 0 : i];
    const io::Image& mask = masks[masks.size() == 1 ? 0 : i];
    if (mask.width == picture.width && mask.height == picture.height) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a mask of {} x {} pixels does not fit its picture of {} x {}; both "
                            "must have the same size",
                            mask.width, mask.height, picture.width, picture.height));
  }
}

}  // namespace kandinsky::pipelines
