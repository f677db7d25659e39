/// Everything one job needs to know, with defaults and ranges.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kandinsky::pipelines {

inline constexpr int64_t kMaxBatchSize = 64;
inline constexpr int64_t kMaxSide = 16384;
inline constexpr double kMaxGuidanceScale = 100.0;

/// Texts to encode, and how to sample the prior.
struct PromptRequest {
  std::vector<std::string> prompts;                          ///< 1 to kMaxBatchSize, UTF-8
  std::optional<std::vector<std::string>> negative_prompts;  ///< absent, or as many as prompts
  std::vector<uint64_t> seeds;                               ///< as many as prompts
  int num_inference_steps = 25;                              ///< 2 to 1000
  double guidance_scale = 4.0;  ///< 0 to kMaxGuidanceScale; 1 and less: off

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;
};

/// How to turn noise into latents.
struct DenoiseRequest {
  int64_t width = 512;           ///< pixels, 1 to kMaxSide
  int64_t height = 512;          ///< likewise
  std::vector<uint64_t> seeds;   ///< 1 to kMaxBatchSize
  std::string sampler = "DDIM";  ///< a name in the samplers' table
  int num_inference_steps = 50;  ///< the sampler's own range
  double guidance_scale = 4.0;   ///< 0 to kMaxGuidanceScale; 1 and less: off
  at::Tensor noise;              ///< [B, C, h, w] to start from; undefined: drawn from the seeds

  /// Throws Error(kInvalidArgument) naming the field.
  void check() const;
};

/// Throws Error(kInvalidArgument) for sides that are out of range.
void check_size(int64_t width, int64_t height);

/// Throws Error(kInvalidArgument) unless 1 to kMaxBatchSize.
void check_batch_size(int64_t batch_size);

}  // namespace kandinsky::pipelines
