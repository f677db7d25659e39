#include "options/requests.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/images/image.h"
#include "options/types.h"
#include "text/prompt_weights.h"
#include "text/unicode.h"

namespace kandinsky {
namespace {

void check_side(const char* name, int64_t side) {
  if (side >= 1 && side <= kMaxSide) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is {} pixels, expected 1 to {}", name, side, kMaxSide));
}

void check_count(const char* name, size_t count, size_t expected) {
  if (count == expected) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("there are {} {} for {} images", count, name, expected));
}

void check_window(const char* of, double start, double end) {
  if (start <= end) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} starts at {} of the steps, after its end at {}", of, start, end));
}

/// Truncated like the reference's int(): 0.29 of 100 steps are 28.
int running_steps(int steps, double strength) {
  return std::min(static_cast<int>(steps * strength), steps);
}

/// Throws as parsing the texts would.
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
  io::check_image_size(width, height, "the image");
}

void check_batch_size(int64_t batch_size) {
  if (batch_size >= 1 && batch_size <= kMaxBatchSize) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("batch size is {}, expected 1 to {}", batch_size, kMaxBatchSize));
}

void PromptRequest::check() const {
  check_batch_size(static_cast<int64_t>(prompts.size()));
  check_count("seeds", seeds.size(), prompts.size());
  if (!negative_prompts.empty())
    check_count("negative_prompts", negative_prompts.size(), prompts.size());
  if (!negative_prior_prompts.empty())
    check_count("negative_prior_prompts", negative_prior_prompts.size(), prompts.size());
  if (prior_images.size() > 1) check_count("prior_images", prior_images.size(), prompts.size());
  if (num_running_prior_steps() == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("prior_strength is {}, which leaves none of {} prior steps",
                            prior_strength, prior_num_inference_steps));
  }
  for (const auto* texts : {&prompts, &negative_prompts, &negative_prior_prompts})
    check_texts(*texts, parse_weights);
}

int PromptRequest::num_running_prior_steps() const {
  return prior_images.empty() ? prior_num_inference_steps
                              : running_steps(prior_num_inference_steps, prior_strength);
}

void DenoiseRequest::check() const {
  check_batch_size(static_cast<int64_t>(seeds.size()));
  check_window("guidance", guidance_start, guidance_end);
  check_window("the hint", hint_start, hint_end);
  if (hints.size() > 1) check_count("hints", hints.size(), seeds.size());
  if (!variation_seeds.empty() || variation_strength > 0.0)
    check_count("variation_seeds", variation_seeds.size(), seeds.size());
  if (seed_resize_width != 0 || seed_resize_height != 0) {
    check_side("seed_resize_width", seed_resize_width);
    check_side("seed_resize_height", seed_resize_height);
    io::check_image_size(seed_resize_width, seed_resize_height, "seed_resize");
  }
  if (!mask.defined()) return;
  if (!init_latents.defined())
    throw Error(ErrorCode::kInvalidArgument,
                "a mask needs init_latents, which are kept outside it");
  if (!((mask >= 0) & (mask <= 1)).all().item<bool>())
    throw Error(ErrorCode::kInvalidArgument, "mask has values outside of 0 to 1");
}

int DenoiseRequest::num_running_steps() const {
  if (!init_latents.defined()) return num_inference_steps;
  return running_steps(num_inference_steps, strength);
}

void SourceRequest::check(size_t batch_size) const {
  check_count("images", images.size(), images.size() == 1 ? 1 : batch_size);
  if (masks.size() > 1) check_count("masks", masks.size(), batch_size);
  for (size_t i = 0; i < std::max(images.size(), masks.size()) && !masks.empty(); ++i) {
    const io::Image& image = images[images.size() == 1 ? 0 : i];
    const io::Image& mask = masks[masks.size() == 1 ? 0 : i];
    if (mask.width == image.width && mask.height == image.height) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("a mask of {} x {} pixels does not fit its image of {} x {}; both "
                            "must have the same size",
                            mask.width, mask.height, image.width, image.height));
  }
}

}  // namespace kandinsky
