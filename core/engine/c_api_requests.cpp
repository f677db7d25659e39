#include "engine/c_api_requests.h"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "tensor/bridge.h"
#include "tensor/device.h"
#include "tensor/team.h"

namespace kandinsky::engine {
namespace {

using pipelines::Condition;
using pipelines::DenoiseRequest;
using pipelines::InitNoise;
using pipelines::MaskFill;
using pipelines::MaskMethod;
using pipelines::NegativeImage;
using pipelines::PromptRequest;
using pipelines::ResizeMode;
using pipelines::SourceRequest;

/// Where the first version of each options struct ended: no caller has a shorter one.
constexpr size_t kFirstPromptOptions =
    offsetof(kandinsky_prompt_options, prior_guidance_scale) + sizeof(double);
constexpr size_t kFirstDenoiseOptions =
    offsetof(kandinsky_denoise_options, noise) + sizeof(const float*);
constexpr size_t kFirstDecodeOptions = offsetof(kandinsky_decode_options, tiling) + sizeof(int32_t);
constexpr size_t kFirstSourceOptions =
    offsetof(kandinsky_source_options, composite) + sizeof(int32_t);

/// On one side: one for each of 64 pictures in each of 1000 steps, and some more.
constexpr size_t kMaxConditions = 65536;

/// Latents of pictures lie within 30 or so, and samplers start from some hundreds.
constexpr float kLargestLatent = 1e4F;

std::vector<std::string> read_texts(const char* const* texts, int32_t count, const char* name) {
  required(texts, name);
  std::vector<std::string> result;
  for (int32_t i = 0; i < count; ++i) result.emplace_back(&required(texts[i], name));
  return result;
}

std::vector<uint64_t> read_seeds(const uint64_t* seeds, int32_t count) {
  required(seeds, "seeds");
  return {seeds, seeds + count};
}

std::vector<Condition> read_conditions(const char* name, const kandinsky_condition* from,
                                       size_t count) {
  if (count > 0) required(from, name);
  check_count(name, count, kMaxConditions);
  std::vector<Condition> conditions;
  for (size_t i = 0; i < count; ++i) {
    conditions.push_back({.row = from[i].row,
                          .picture = from[i].picture,
                          .first_step = from[i].first_step,
                          .last_step = from[i].last_step,
                          .weight = from[i].weight});
  }
  return conditions;
}

std::vector<io::Image> read_pictures(const kandinsky_picture* from, size_t count,
                                     const char* name) {
  if (count > 0) required(from, name);
  check_count(name, count, pipelines::kMaxBatchSize);
  std::vector<io::Image> pictures;
  for (size_t i = 0; i < count; ++i) pictures.push_back(read_picture(from[i], name));
  return pictures;
}

}  // namespace

bool read_switch(const char* name, int32_t value) {
  if (value == 0 || value == 1) return value == 1;
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is {}, expected 0 or 1", name, value));
}

at::Tensor read_floats(const char* name, const float* data, const std::array<int64_t, 4>& shape) {
  if (data == nullptr) return {};
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  at::Tensor tensor = tensor::from_floats(data, shape);
  const auto largest = tensor.abs().max().item<float>();
  // Also false for NaN.
  if (largest <= kLargestLatent) return tensor;
  throw Error(ErrorCode::kInvalidArgument,
              std::isfinite(largest)
                  ? fmt::format("{} has values up to {:g}, expected at most {:g}", name, largest,
                                kLargestLatent)
                  : fmt::format("{} has values that are not finite numbers", name));
}

PromptRequest read_request(const kandinsky_prompt_options* from) {
  const auto options = read_options(from, kandinsky_prompt_options_init_sized, kFirstPromptOptions,
                                    "kandinsky_prompt_options");
  const int32_t batch_size = options.batch_size;
  pipelines::check_batch_size(batch_size);
  PromptRequest request;
  request.prompts = read_texts(options.prompts, batch_size, "prompts");
  if (options.negative_prompts != nullptr) {
    request.negative_prompts = read_texts(options.negative_prompts, batch_size, "negative_prompts");
  }
  if (options.negative_prior_prompts != nullptr) {
    request.negative_prior_prompts =
        read_texts(options.negative_prior_prompts, batch_size, "negative_prior_prompts");
  }
  request.seeds = read_seeds(options.seeds, batch_size);
  request.num_inference_steps = options.prior_num_inference_steps;
  request.guidance_scale = options.prior_guidance_scale;
  request.negative_image =
      read_word<NegativeImage>("negative_image", options.negative_image,
                               {{"zero", NegativeImage::kZero}, {"prior", NegativeImage::kPrior}});
  request.parse_weights = read_switch("parse_weights", options.parse_weights);
  request.long_prompts = read_switch("long_prompts", options.long_prompts);
  return request;
}

DenoiseRequest read_request(const kandinsky_denoise_options* from, const Engine& engine) {
  const auto options = read_options(from, kandinsky_denoise_options_init_sized,
                                    kFirstDenoiseOptions, "kandinsky_denoise_options");
  const int32_t batch_size = options.batch_size;
  pipelines::check_batch_size(batch_size);
  const auto shape = latents_shape(engine, batch_size, options.width, options.height);
  DenoiseRequest request;
  request.width = options.width;
  request.height = options.height;
  request.seeds = read_seeds(options.seeds, batch_size);
  request.sampler = &required(options.sampler, "sampler");
  request.scheduler = &required(options.scheduler, "scheduler");
  request.num_inference_steps = options.num_inference_steps;
  request.guidance_scale = options.guidance_scale;
  request.guidance_rescale = options.guidance_rescale;
  request.guidance_start = options.guidance_start;
  request.guidance_end = options.guidance_end;
  request.tiling = read_switch("tiling", options.tiling);
  request.cache_interval = options.cache_interval;
  request.noise = read_floats("noise", options.noise, shape);
  if (options.variation_seeds != nullptr)
    request.variation_seeds = read_seeds(options.variation_seeds, batch_size);
  request.variation_strength = options.variation_strength;
  request.seed_resize_width = options.seed_resize_width;
  request.seed_resize_height = options.seed_resize_height;
  request.init_latents = read_floats("init_latents", options.init_latents, shape);
  request.strength = options.strength;
  request.init_noise = read_word<InitNoise>(
      "init_noise", options.init_noise,
      {{"matched", InitNoise::kMatched}, {"reference", InitNoise::kReference}});
  request.mask = read_floats("mask", options.mask, {shape[0], 1, shape[2], shape[3]});
  request.mask_method = read_word<MaskMethod>(
      "mask_method", options.mask_method,
      {{"auto", MaskMethod::kAuto}, {"model", MaskMethod::kModel}, {"blend", MaskMethod::kBlend}});
  request.conditions = read_conditions("conditions", options.conditions, options.condition_count);
  request.negative_conditions = read_conditions("negative_conditions", options.negative_conditions,
                                                options.negative_condition_count);
  return request;
}

SourceRequest read_request(const kandinsky_source_options* from) {
  const auto options = read_options(from, kandinsky_source_options_init_sized, kFirstSourceOptions,
                                    "kandinsky_source_options");
  SourceRequest request;
  request.pictures = read_pictures(options.pictures, options.picture_count, "pictures");
  request.masks = read_pictures(options.masks, options.mask_count, "masks");
  request.resize = read_word<ResizeMode>("resize", options.resize,
                                         {{"stretch", ResizeMode::kStretch},
                                          {"crop", ResizeMode::kCrop},
                                          {"fill", ResizeMode::kFill}});
  request.mask_blur = options.mask_blur;
  request.invert_mask = read_switch("invert_mask", options.invert_mask);
  request.mask_fill = read_word<MaskFill>("mask_fill", options.mask_fill,
                                          {{"original", MaskFill::kOriginal},
                                           {"fill", MaskFill::kFill},
                                           {"latent noise", MaskFill::kLatentNoise},
                                           {"latent nothing", MaskFill::kLatentNothing}});
  request.erode_mask = read_switch("erode_mask", options.erode_mask);
  request.composite = read_switch("composite", options.composite);
  return request;
}

kandinsky_decode_options read_checked(const kandinsky_decode_options* from) {
  const auto options = read_options(from, kandinsky_decode_options_init_sized, kFirstDecodeOptions,
                                    "kandinsky_decode_options");
  pipelines::check_batch_size(options.batch_size);
  read_switch("tiling", options.tiling);
  return options;
}

io::Image read_picture(const kandinsky_picture& from, const char* name) {
  // A picture to start from may be larger than any that is painted.
  io::check_image_shape(from.width, from.height, from.channels, name);
  const uint8_t* pixels = &required(from.pixels, name);
  const auto size = static_cast<size_t>(int64_t{from.width} * from.height * from.channels);
  return {.width = from.width,
          .height = from.height,
          .channels = from.channels,
          .pixels = {pixels, pixels + size}};
}

void check_buffer(const char* name, size_t size, int64_t expected) {
  if (size == static_cast<size_t>(expected)) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} has room for {} elements, but {} are needed", name, size, expected));
}

std::array<int64_t, 4> latents_shape(const Engine& engine, int64_t batch_size, int64_t width,
                                     int64_t height) {
  const auto [latent_height, latent_width] = engine.geometry().latent_size(width, height);
  return {batch_size, engine.geometry().latent_channels, latent_height, latent_width};
}

int64_t count(const std::array<int64_t, 4>& shape) {
  return shape[0] * shape[1] * shape[2] * shape[3];
}

int64_t picture_count(int64_t batch_size, int64_t width, int64_t height) {
  pipelines::check_size(width, height);
  return batch_size * width * height * 3;
}

}  // namespace kandinsky::engine
