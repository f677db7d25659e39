/// kandinsky.h over engine::Engine.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "engine/c_api_embeds.h"
#include "engine/c_api_guard.h"
#include "engine/c_api_options.h"
#include "engine/engine.h"
#include "io/images/image.h"
#include "kandinsky.h"
#include "options/requests.h"
#include "options/table.h"
#include "options/types.h"
#include "pipelines/embeds.h"
#include "pipelines/monitor.h"
#include "tensor/device.h"

using kandinsky::DenoiseRequest;
using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::PromptRequest;
using kandinsky::engine::check_buffer;
using kandinsky::engine::check_count;
using kandinsky::engine::count;
using kandinsky::engine::denoise_request;
using kandinsky::engine::Engine;
using kandinsky::engine::guarded;
using kandinsky::engine::image_size;
using kandinsky::engine::init_info;
using kandinsky::engine::latents_shape;
using kandinsky::engine::prompt_request;
using kandinsky::engine::read_image;
using kandinsky::engine::read_latents;
using kandinsky::engine::read_options;
using kandinsky::engine::required;
using kandinsky::engine::write_info;
using kandinsky::options::OptionValues;
using kandinsky::pipelines::Embeds;

struct kandinsky_engine {
  explicit kandinsky_engine(const kandinsky::EngineOptions& options)
      : engine(options),
        device(kandinsky::tensor::device_name(engine.placement().placement.device)),
        prior_dir(engine.prior_path()),
        inpaint_dir(engine.inpaint_path()),
        changes(keep(engine.describe_changes())) {}

  /// The text, for as long as the engine: others may be reading it while the LoRAs are set again.
  const char* keep(std::string text) { return kept.insert(std::move(text)).first->c_str(); }

  Engine engine;
  std::string device;
  std::string prior_dir;
  std::string inpaint_dir;
  std::set<std::string> kept;
  std::atomic<const char*> changes;
  std::string memory_plan;  ///< the text of the last plan
};

namespace {

/// The buffer of a task's images, of exactly the required size.
uint8_t* result_place(const DenoiseRequest& request, uint8_t* images, size_t size) {
  check_buffer(
      "images", size,
      static_cast<int64_t>(request.seeds.size()) * image_size(request.width, request.height));
  return &required(images, "images");
}

/// The number of images in the caller's bytes. Throws unless it is whole.
int64_t read_batch_size(const OptionValues& values, size_t size) {
  const auto one = static_cast<size_t>(image_size(values.denoise.width, values.denoise.height));
  const auto batch_size = static_cast<int64_t>(std::min<size_t>(size / one, 1000));
  kandinsky::check_batch_size(batch_size);
  check_buffer("images", size, batch_size * static_cast<int64_t>(one));
  return batch_size;
}

}  // namespace

extern "C" {

void kandinsky_engine_info_init_sized(kandinsky_engine_info* info, size_t size) {
  init_info(info, size);
}

kandinsky_status kandinsky_engine_open(const kandinsky_options* options, kandinsky_engine** out) {
  return guarded([&] {
    kandinsky_engine*& engine = required(out, "out");
    engine = new kandinsky_engine(read_options(options, "engine").engine);
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
                .inpaint_dir = engine->inpaint_dir.c_str(),
                .changes = engine->changes,
                .takes_hints = of.takes_hints() ? 1 : 0,
                .own_sampler = of.own_sampler()},
               info, "kandinsky_engine_info");
  });
}

void kandinsky_memory_plan_init_sized(kandinsky_memory_plan* plan, size_t size) {
  init_info(plan, size);
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

kandinsky_status kandinsky_engine_set_loras(kandinsky_engine* engine, const char* const* loras,
                                            size_t count) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Turn turn(of);
    check_count("loras", count, kandinsky::kMaxBatchSize);
    std::vector<std::string> names;
    if (count > 0) required(loras, "loras");
    for (size_t i = 0; i < count; ++i) names.emplace_back(&required(loras[i], "loras"));
    of.set_loras(names);
    engine->changes = engine->keep(of.describe_changes());
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

kandinsky_status kandinsky_encode_prompts(kandinsky_engine* engine,
                                          const kandinsky_options* options,
                                          kandinsky_embeds** embeds,
                                          kandinsky_embeds** negative_embeds) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    PromptRequest request = prompt_request(read_options(options, "encode_prompts"));
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

kandinsky_status kandinsky_encode_images(kandinsky_engine* engine, const kandinsky_image* images,
                                         size_t count, kandinsky_embeds** out) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    required(images, "images");
    required(out, "out");
    const Engine::Job job(of);
    check_count("images", count, kandinsky::kMaxBatchSize);
    std::vector<kandinsky::io::Image> copies;
    for (size_t i = 0; i < count; ++i) copies.push_back(read_image(images[i], "images"));
    auto embeds = std::make_unique<kandinsky_embeds>();
    embeds->embeds = of.encode_images(copies);
    *out = embeds.release();
  });
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
                                   const kandinsky_options* options, float* latents, size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const DenoiseRequest request = denoise_request(read_options(options, "denoise"));
    const auto shape = latents_shape(of, static_cast<int64_t>(request.seeds.size()), request.width,
                                     request.height);
    check_buffer("latents", size, count(shape));
    float& first = required(latents, "latents");
    const Embeds* negative = negative_embeds == nullptr ? nullptr : &negative_embeds->embeds;
    const at::Tensor result = of.denoise(required(embeds, "embeds").embeds, negative, request);
    std::memcpy(&first, result.const_data_ptr(), size * sizeof(float));
  });
}

kandinsky_status kandinsky_decode(kandinsky_engine* engine, const kandinsky_options* options,
                                  const float* latents, size_t latents_size, uint8_t* images,
                                  size_t images_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const OptionValues& values = read_options(options, "decode");
    const auto& [width, height, tiling] =
        std::tie(values.denoise.width, values.denoise.height, values.denoise.tiling);
    const auto shape = latents_shape(of, read_batch_size(values, images_size), width, height);
    check_buffer("latents", latents_size, count(shape));
    const at::Tensor input = read_latents(&required(latents, "latents"), shape);
    of.decode(input, width, height, tiling, &required(images, "images"));
  });
}

kandinsky_status kandinsky_encode(kandinsky_engine* engine, const kandinsky_options* options,
                                  const uint8_t* images, size_t images_size, float* latents,
                                  size_t latents_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const OptionValues& values = read_options(options, "encode");
    const auto& [width, height, tiling] =
        std::tie(values.denoise.width, values.denoise.height, values.denoise.tiling);
    const auto shape = latents_shape(of, read_batch_size(values, images_size), width, height);
    check_buffer("latents", latents_size, count(shape));
    float& first = required(latents, "latents");
    const at::Tensor result =
        of.encode(&required(images, "images"), shape[0], width, height, tiling);
    std::memcpy(&first, result.const_data_ptr(), latents_size * sizeof(float));
  });
}

kandinsky_status kandinsky_text_to_image(kandinsky_engine* engine, const kandinsky_options* options,
                                         uint8_t* images, size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const OptionValues& values = read_options(options, "text_to_image");
    const DenoiseRequest request = denoise_request(values);
    of.text_to_image(prompt_request(values), request, result_place(request, images, size));
  });
}

kandinsky_status kandinsky_image_to_image(kandinsky_engine* engine,
                                          const kandinsky_options* options, uint8_t* images,
                                          size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const OptionValues& values = read_options(options, "image_to_image");
    const DenoiseRequest request = denoise_request(values);
    of.image_to_image(prompt_request(values), request, values.source,
                      result_place(request, images, size));
  });
}

kandinsky_status kandinsky_generate(kandinsky_engine* engine, const kandinsky_embeds* embeds,
                                    const kandinsky_embeds* negative_embeds,
                                    const kandinsky_options* options, uint8_t* images,
                                    size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const Engine::Job job(of);
    const OptionValues& values = read_options(options, "generate");
    const DenoiseRequest request = denoise_request(values);
    const Embeds* negative = negative_embeds == nullptr ? nullptr : &negative_embeds->embeds;
    const bool has_source = !values.source.images.empty() || !values.source.masks.empty();
    of.generate(required(embeds, "embeds").embeds, negative, request,
                has_source ? &values.source : nullptr, result_place(request, images, size));
  });
}

kandinsky_status kandinsky_engine_check(kandinsky_engine* engine,
                                        const kandinsky_options* options) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const bool has_source =
        required(options, "options").options.operation().name == std::string_view("image_to_image");
    const OptionValues& values =
        read_options(options, has_source ? "image_to_image" : "text_to_image");
    const Engine::Job job(of);
    of.check(prompt_request(values), denoise_request(values),
             has_source ? &values.source : nullptr);
  });
}

}  // extern "C"
