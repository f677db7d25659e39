#include "pipelines/request.h"

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
  for (const auto& [name, side] : {std::pair{"width", width}, std::pair{"height", height}}) {
    if (side < 1 || side > kMaxSide) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} is {} pixels, expected 1 to {}", name, side, kMaxSide));
    }
  }
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
}

int DenoiseRequest::num_running_steps() const {
  if (!init_latents.defined()) return num_inference_steps;
  return std::min(static_cast<int>(num_inference_steps * strength), num_inference_steps);
}

void SourceRequest::check(size_t batch_size) const {
  check_count("pictures to start from", pictures.size(), pictures.size() == 1 ? 1 : batch_size);
}

}  // namespace kandinsky::pipelines
