/// kandinsky.h over engine::Engine: plain numbers in, plain numbers out.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/c_api_embeds.h"
#include "engine/c_api_guard.h"
#include "engine/c_api_requests.h"
#include "engine/engine.h"
#include "kandinsky.h"
#include "tensor/bridge.h"

using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::engine::check_buffer;
using kandinsky::engine::check_count;
using kandinsky::engine::count;
using kandinsky::engine::Engine;
using kandinsky::engine::guarded;
using kandinsky::engine::init_options;
using kandinsky::engine::latents_shape;
using kandinsky::engine::or_empty;
using kandinsky::engine::picture_count;
using kandinsky::engine::read_checked;
using kandinsky::engine::read_floats;
using kandinsky::engine::read_options;
using kandinsky::engine::read_picture;
using kandinsky::engine::read_request;
using kandinsky::engine::read_switch;
using kandinsky::engine::required;
using kandinsky::engine::write_info;
using kandinsky::pipelines::DenoiseRequest;
using kandinsky::pipelines::Embeds;
using kandinsky::pipelines::PromptRequest;
using kandinsky::pipelines::SourceRequest;

struct kandinsky_engine {
  explicit kandinsky_engine(const kandinsky::engine::EngineOptions& options)
      : engine(options),
        device(kandinsky::tensor::device_name(engine.placement().placement.device)),
        prior_dir(engine.prior_path()),
        inpaint_dir(engine.inpaint_path()) {}
  Engine engine;
  std::string device;
  std::string prior_dir;
  std::string inpaint_dir;
  std::string memory_plan;  ///< the text of the last one that was asked for
};

namespace {

/// Where the first version of the struct ended: no caller has a shorter one.
constexpr size_t kFirstEngineOptions =
    offsetof(kandinsky_engine_options, precision) + sizeof(const char*);

int64_t read_max_memory(uint64_t bytes) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min(bytes, kMost));
}

/// "a, b" -> a and b
std::vector<std::string_view> split_names(std::string_view list) {
  std::vector<std::string_view> names;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.push_back(name);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

void check_same_batch(const PromptRequest& prompts, const DenoiseRequest& denoise) {
  if (prompts.seeds.size() == denoise.seeds.size()) return;
  throw Error(ErrorCode::kInvalidArgument, "the two batch sizes differ");
}

/// Where a task's pictures go: just as large as needed.
uint8_t* result_place(const DenoiseRequest& denoise, uint8_t* pictures, size_t size) {
  check_buffer(
      "pictures", size,
      picture_count(static_cast<int64_t>(denoise.seeds.size()), denoise.width, denoise.height));
  return &required(pictures, "pictures");
}

}  // namespace

extern "C" {

void kandinsky_engine_options_init_sized(kandinsky_engine_options* options, size_t size) {
  init_options<kandinsky_engine_options>({.struct_size = 0,
                                          .model_dir = nullptr,
                                          .prior_dir = nullptr,
                                          .device = "auto",
                                          .precision = "auto",
                                          .inpaint_dir = nullptr,
                                          .max_memory = 0,
                                          .without = nullptr,
                                          .prior_device = nullptr,
                                          .int8_weights = 0},
                                         options, size);
}

void kandinsky_engine_info_init_sized(kandinsky_engine_info* info, size_t size) {
  init_options<kandinsky_engine_info>({}, info, size);
}

kandinsky_status kandinsky_engine_open(const kandinsky_engine_options* from,
                                       kandinsky_engine** out) {
  return guarded([&] {
    kandinsky_engine*& engine = required(out, "out");
    const auto options = read_options(from, kandinsky_engine_options_init_sized,
                                      kFirstEngineOptions, "kandinsky_engine_options");
    kandinsky::engine::EngineOptions request{
        .model_dir = or_empty(options.model_dir),
        .prior_dir = or_empty(options.prior_dir),
        .inpaint_dir = std::nullopt,
        .device = or_empty(options.device),
        .precision = or_empty(options.precision),
        .without = split_names(or_empty(options.without)),
        .max_memory = read_max_memory(options.max_memory),
        .prior_device = or_empty(options.prior_device),
        .int8_weights = read_switch("int8_weights", options.int8_weights)};
    if (options.inpaint_dir != nullptr) request.inpaint_dir = options.inpaint_dir;
    engine = new kandinsky_engine(request);
  });
}

void kandinsky_engine_free(kandinsky_engine* engine) { delete engine; }

kandinsky_status kandinsky_engine_get_info(const kandinsky_engine* engine,
                                           kandinsky_engine_info* info) {
  return guarded([&] {
    const Engine& of = required(engine, "engine").engine;
    const auto& geometry = of.geometry();
    write_info({.struct_size = 0,
                .family = of.family(),
                .device = engine->device.c_str(),
                .precision = kandinsky::tensor::precision_name(of.placement().placement.dtype),
                .reason = of.placement().reason.c_str(),
                .prior_dir = engine->prior_dir.c_str(),
                .native_size = static_cast<int32_t>(geometry.native_size),
                .latent_channels = static_cast<int32_t>(geometry.latent_channels),
                .latent_factor = static_cast<int32_t>(geometry.latent_factor),
                .size_multiple = static_cast<int32_t>(geometry.size_multiple),
                .inpaint_dir = engine->inpaint_dir.c_str()},
               info, "kandinsky_engine_info");
  });
}

void kandinsky_memory_plan_init_sized(kandinsky_memory_plan* plan, size_t size) {
  init_options<kandinsky_memory_plan>({}, plan, size);
}

kandinsky_status kandinsky_engine_plan_memory(kandinsky_engine* engine, int32_t width,
                                              int32_t height, int32_t batch_size,
                                              kandinsky_memory_plan* plan) {
  return guarded([&] {
    required(plan, "plan");
    Engine& of = required(engine, "engine").engine;
    const Engine::Turn turn(of);
    const auto summary = of.describe_memory(width, height, batch_size);
    engine->memory_plan = summary.text;
    write_info({.struct_size = 0,
                .holds_everything = summary.holds_everything ? 1 : 0,
                .budget = static_cast<uint64_t>(summary.budget),
                .peak = static_cast<uint64_t>(summary.peak),
                .least = static_cast<uint64_t>(summary.least),
                .text = engine->memory_plan.c_str()},
               plan, "kandinsky_memory_plan");
  });
}

kandinsky_status kandinsky_engine_unload(kandinsky_engine* engine) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Turn turn(of);
    of.unload();
  });
}

void kandinsky_engine_cancel(kandinsky_engine* engine) {
  if (engine != nullptr) engine->engine.cancel();
}

kandinsky_status kandinsky_engine_set_progress(kandinsky_engine* engine,
                                               kandinsky_progress_fn callback, void* user_data) {
  return guarded([&] {
    kandinsky::pipelines::Monitor::StepSink sink;
    if (callback != nullptr) {
      sink = [callback, user_data](const kandinsky::Progress& progress, const at::Tensor& latents) {
        kandinsky_progress report{.struct_size = sizeof(kandinsky_progress),
                                  .stage = progress.stage,
                                  .step = progress.step,
                                  .steps = progress.steps,
                                  .latents = nullptr,
                                  .shape = {}};
        const at::Tensor plain = latents.defined() ? latents.contiguous() : at::Tensor();
        if (plain.defined()) {
          report.latents = plain.const_data_ptr<float>();
          for (size_t i = 0; i < 4; ++i)
            report.shape[i] = static_cast<int32_t>(plain.size(static_cast<int64_t>(i)));
        }
        switch (callback(&report, user_data)) {
          case KANDINSKY_CONTINUE:
            return kandinsky::ProgressAction::kContinue;
          case KANDINSKY_FINISH:
            return kandinsky::ProgressAction::kSkip;
          case KANDINSKY_CANCEL:
            return kandinsky::ProgressAction::kStop;
        }
        throw Error(ErrorCode::kInvalidArgument,
                    "the progress callback returned no kandinsky_action");
      };
    }
    Engine& of = required(engine, "engine").engine;
    const Engine::Turn turn(of);
    of.set_step_sink(std::move(sink));
  });
}

kandinsky_status kandinsky_engine_set_message(kandinsky_engine* engine,
                                              kandinsky_message_fn callback, void* user_data) {
  return guarded([&] {
    kandinsky::pipelines::Monitor::MessageSink sink;
    if (callback != nullptr)
      sink = [callback, user_data](const std::string& message) {
        callback(message.c_str(), user_data);
      };
    Engine& of = required(engine, "engine").engine;
    const Engine::Turn turn(of);
    of.set_message_sink(std::move(sink));
  });
}

void kandinsky_prompt_options_init_sized(kandinsky_prompt_options* options, size_t size) {
  const PromptRequest defaults;
  init_options<kandinsky_prompt_options>({.struct_size = 0,
                                          .batch_size = 0,
                                          .prompts = nullptr,
                                          .negative_prompts = nullptr,
                                          .seeds = nullptr,
                                          .prior_num_inference_steps = defaults.num_inference_steps,
                                          .prior_guidance_scale = defaults.guidance_scale,
                                          .negative_prior_prompts = nullptr,
                                          .negative_image = "zero",
                                          .parse_weights = defaults.parse_weights ? 1 : 0,
                                          .long_prompts = defaults.long_prompts ? 1 : 0},
                                         options, size);
}

kandinsky_status kandinsky_encode_prompts(kandinsky_engine* engine,
                                          const kandinsky_prompt_options* options,
                                          kandinsky_embeds** embeds,
                                          kandinsky_embeds** negative_embeds) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    PromptRequest request = read_request(options);
    request.wants_embeds = embeds != nullptr;
    request.wants_negative_embeds = negative_embeds != nullptr;
    auto encoded = of.encode_prompts(request);
    auto positive = std::make_unique<kandinsky_embeds>();
    auto negative = std::make_unique<kandinsky_embeds>();
    positive->embeds = std::move(encoded.embeds);
    negative->embeds = std::move(encoded.negative_embeds);
    if (embeds != nullptr) *embeds = positive.release();
    if (negative_embeds != nullptr) *negative_embeds = negative.release();
  });
}

kandinsky_status kandinsky_encode_images(kandinsky_engine* engine,
                                         const kandinsky_picture* pictures, size_t count,
                                         kandinsky_embeds** out) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    required(pictures, "pictures");
    required(out, "out");
    const Engine::Job job(of);
    check_count("pictures", count, kandinsky::pipelines::kMaxBatchSize);
    std::vector<kandinsky::io::Image> images;
    for (size_t i = 0; i < count; ++i) images.push_back(read_picture(pictures[i], "pictures"));
    auto embeds = std::make_unique<kandinsky_embeds>();
    embeds->embeds = of.encode_images(images);
    *out = embeds.release();
  });
}

void kandinsky_denoise_options_init_sized(kandinsky_denoise_options* options, size_t size) {
  const DenoiseRequest defaults;
  init_options<kandinsky_denoise_options>({.struct_size = 0,
                                           .batch_size = 0,
                                           .width = static_cast<int32_t>(defaults.width),
                                           .height = static_cast<int32_t>(defaults.height),
                                           .seeds = nullptr,
                                           .sampler = kandinsky_sampler_name(0),
                                           .num_inference_steps = defaults.num_inference_steps,
                                           .guidance_scale = defaults.guidance_scale,
                                           .noise = nullptr,
                                           .scheduler = kandinsky_scheduler_name(0),
                                           .guidance_rescale = defaults.guidance_rescale,
                                           .guidance_start = defaults.guidance_start,
                                           .guidance_end = defaults.guidance_end,
                                           .tiling = 0,
                                           .variation_seeds = nullptr,
                                           .variation_strength = defaults.variation_strength,
                                           .seed_resize_width = 0,
                                           .seed_resize_height = 0,
                                           .init_latents = nullptr,
                                           .strength = defaults.strength,
                                           .init_noise = "matched",
                                           .mask = nullptr,
                                           .mask_method = "auto",
                                           .conditions = nullptr,
                                           .condition_count = 0,
                                           .negative_conditions = nullptr,
                                           .negative_condition_count = 0,
                                           .cache_interval = defaults.cache_interval},
                                          options, size);
}

kandinsky_status kandinsky_latent_size(const kandinsky_engine* engine, int32_t width,
                                       int32_t height, int32_t* latent_width,
                                       int32_t* latent_height) {
  return guarded([&] {
    const auto [rows, columns] =
        required(engine, "engine").engine.geometry().latent_size(width, height);
    required(latent_width, "latent_width");
    required(latent_height, "latent_height");
    *latent_width = static_cast<int32_t>(columns);
    *latent_height = static_cast<int32_t>(rows);
  });
}

kandinsky_status kandinsky_denoise(kandinsky_engine* engine, const kandinsky_embeds* embeds,
                                   const kandinsky_embeds* negative_embeds,
                                   const kandinsky_denoise_options* options, float* latents,
                                   size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const DenoiseRequest request = read_request(options, of);
    const auto shape = latents_shape(of, static_cast<int64_t>(request.seeds.size()), request.width,
                                     request.height);
    check_buffer("latents", size, count(shape));
    float& first = required(latents, "latents");
    const Embeds* negative = negative_embeds == nullptr ? nullptr : &negative_embeds->embeds;
    const at::Tensor result = of.denoise(required(embeds, "embeds").embeds, negative, request);
    std::memcpy(&first, result.const_data_ptr(), size * sizeof(float));
  });
}

void kandinsky_decode_options_init_sized(kandinsky_decode_options* options, size_t size) {
  const DenoiseRequest defaults;
  init_options<kandinsky_decode_options>({.struct_size = 0,
                                          .batch_size = 0,
                                          .width = static_cast<int32_t>(defaults.width),
                                          .height = static_cast<int32_t>(defaults.height),
                                          .tiling = 0},
                                         options, size);
}

kandinsky_status kandinsky_decode(kandinsky_engine* engine, const kandinsky_decode_options* from,
                                  const float* latents, size_t latents_size, uint8_t* pictures,
                                  size_t pictures_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const auto options = read_checked(from);
    const auto shape = latents_shape(of, options.batch_size, options.width, options.height);
    check_buffer("latents", latents_size, count(shape));
    check_buffer("pictures", pictures_size,
                 picture_count(options.batch_size, options.width, options.height));
    const at::Tensor input = read_floats("latents", &required(latents, "latents"), shape);
    of.decode(input, options.width, options.height, options.tiling == 1,
              &required(pictures, "pictures"));
  });
}

kandinsky_status kandinsky_encode(kandinsky_engine* engine, const kandinsky_decode_options* from,
                                  const uint8_t* pictures, size_t pictures_size, float* latents,
                                  size_t latents_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const auto options = read_checked(from);
    const auto shape = latents_shape(of, options.batch_size, options.width, options.height);
    check_buffer("pictures", pictures_size,
                 picture_count(options.batch_size, options.width, options.height));
    check_buffer("latents", latents_size, count(shape));
    float& first = required(latents, "latents");
    const at::Tensor result = of.encode(&required(pictures, "pictures"), options.batch_size,
                                        options.width, options.height, options.tiling == 1);
    std::memcpy(&first, result.const_data_ptr(), latents_size * sizeof(float));
  });
}

void kandinsky_source_options_init_sized(kandinsky_source_options* options, size_t size) {
  const SourceRequest defaults;
  init_options<kandinsky_source_options>({.struct_size = 0,
                                          .pictures = nullptr,
                                          .picture_count = 0,
                                          .masks = nullptr,
                                          .mask_count = 0,
                                          .resize = "stretch",
                                          .mask_blur = defaults.mask_blur,
                                          .invert_mask = 0,
                                          .mask_fill = "original",
                                          .erode_mask = defaults.erode_mask ? 1 : 0,
                                          .composite = defaults.composite ? 1 : 0},
                                         options, size);
}

kandinsky_status kandinsky_text_to_image(kandinsky_engine* engine,
                                         const kandinsky_prompt_options* prompts,
                                         const kandinsky_denoise_options* denoise,
                                         uint8_t* pictures, size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const PromptRequest prompt_request = read_request(prompts);
    const DenoiseRequest request = read_request(denoise, of);
    check_same_batch(prompt_request, request);
    of.text_to_image(prompt_request, request, result_place(request, pictures, size));
  });
}

kandinsky_status kandinsky_image_to_image(kandinsky_engine* engine,
                                          const kandinsky_prompt_options* prompts,
                                          const kandinsky_denoise_options* denoise,
                                          const kandinsky_source_options* source, uint8_t* pictures,
                                          size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const PromptRequest prompt_request = read_request(prompts);
    const DenoiseRequest request = read_request(denoise, of);
    check_same_batch(prompt_request, request);
    of.image_to_image(prompt_request, request, read_request(source),
                      result_place(request, pictures, size));
  });
}

kandinsky_status kandinsky_paint(kandinsky_engine* engine, const kandinsky_embeds* embeds,
                                 const kandinsky_embeds* negative_embeds,
                                 const kandinsky_denoise_options* denoise,
                                 const kandinsky_source_options* source, uint8_t* pictures,
                                 size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const DenoiseRequest request = read_request(denoise, of);
    const Embeds* negative = negative_embeds == nullptr ? nullptr : &negative_embeds->embeds;
    std::optional<SourceRequest> source_request;
    if (source != nullptr) source_request = read_request(source);
    of.paint(required(embeds, "embeds").embeds, negative, request, source_request,
             result_place(request, pictures, size));
  });
}

}  // extern "C"
