/// kandinsky.h over engine::Engine: plain numbers in, plain numbers out, and the library's only
/// catch-all.
#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <string>

#include "base/error.h"
#include "engine/engine.h"
#include "io/codec.h"
#include "kandinsky.h"
#include "pipelines/folder.h"
#include "samplers/sampler.h"
#include "tensor/bridge.h"

using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::engine::Engine;
using kandinsky::pipelines::DenoiseRequest;
using kandinsky::pipelines::Embeds;
using kandinsky::pipelines::PromptRequest;

struct kandinsky_engine {
  explicit kandinsky_engine(const kandinsky::engine::EngineOptions& options)
      : engine(options),
        device(kandinsky::tensor::device_name(engine.placement().placement.device)),
        prior_dir(engine.prior_path()) {}
  Engine engine;
  std::string device;
  std::string prior_dir;
};

struct kandinsky_embeds {
  Embeds embeds;
};

struct kandinsky_folder {
  kandinsky::pipelines::Folder folder;
};

namespace {

static_assert(static_cast<int>(ErrorCode::kInvalidArgument) == KANDINSKY_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::kNotFound) == KANDINSKY_NOT_FOUND);
static_assert(static_cast<int>(ErrorCode::kCorruptFile) == KANDINSKY_CORRUPT_FILE);
static_assert(static_cast<int>(ErrorCode::kUnsupported) == KANDINSKY_UNSUPPORTED);
static_assert(static_cast<int>(ErrorCode::kOutOfMemory) == KANDINSKY_OUT_OF_MEMORY);
static_assert(static_cast<int>(ErrorCode::kCancelled) == KANDINSKY_CANCELLED);
static_assert(static_cast<int>(ErrorCode::kBusy) == KANDINSKY_BUSY);
static_assert(static_cast<int>(ErrorCode::kIncompatible) == KANDINSKY_INCOMPATIBLE);
static_assert(static_cast<int>(ErrorCode::kInternal) == KANDINSKY_INTERNAL);

std::string& last_error() {
  thread_local std::string text;
  return text;
}

kandinsky_status fail(ErrorCode code, std::string_view message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();
  }
  return static_cast<kandinsky_status>(code);
}

/// LibTorch reports a failed allocation on the CPU as a general error.
bool is_out_of_memory(std::string_view message) {
  return message.find("DefaultCPUAllocator") != std::string_view::npos ||
         message.find("out of memory") != std::string_view::npos;
}

/// Runs a body and turns whatever it throws into a status and this thread's message.
template <typename Body>
kandinsky_status guarded(const Body& body) noexcept {
  constexpr const char* kOutOfMemory =
      "memory ran out; use a smaller picture or batch, close other programs, or free the host's "
      "own model first";
  try {
    body();
    return KANDINSKY_OK;
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const c10::OutOfMemoryError&) {
    return fail(ErrorCode::kOutOfMemory, kOutOfMemory);
  } catch (const c10::Error& error) {
    const char* message = error.what_without_backtrace();
    return is_out_of_memory(message) ? fail(ErrorCode::kOutOfMemory, kOutOfMemory)
                                     : fail(ErrorCode::kInternal, message);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kOutOfMemory, kOutOfMemory);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  } catch (...) {
    return fail(ErrorCode::kInternal, "an exception of an unknown kind");
  }
}

template <typename T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr)
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} must not be NULL", name));
  return *pointer;
}

/// Where the first version of each options struct ended: no caller has a shorter one.
constexpr size_t kFirstEngineOptions =
    offsetof(kandinsky_engine_options, precision) + sizeof(const char*);
constexpr size_t kFirstPromptOptions =
    offsetof(kandinsky_prompt_options, prior_guidance_scale) + sizeof(double);
constexpr size_t kFirstDenoiseOptions =
    offsetof(kandinsky_denoise_options, noise) + sizeof(const float*);

/// The caller's struct as this library knows it. A caller built against an older header has a
/// shorter struct; the missing fields keep their defaults.
template <typename Options>
Options read_options(const Options* from, void (*init)(Options*), size_t first_version_size,
                     const char* name) {
  const uint32_t size = required(from, name).struct_size;
  if (size < first_version_size) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: struct_size is {}; was {}_init called?", name, size, name));
  }
  if (size > sizeof(Options)) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: made for a newer library than this one", name));
  }
  Options options;
  init(&options);
  std::memcpy(&options, from, size);
  return options;
}

/// Writes as much of `value` as the caller's struct has room for.
template <typename Info>
void write_info(Info value, Info* to, const char* name) {
  const uint32_t size = required(to, name).struct_size;
  if (size < sizeof(uint32_t)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: struct_size is {}; was {}_init called?", name, size, name));
  }
  value.struct_size = size;
  std::memcpy(to, &value, std::min<size_t>(size, sizeof(Info)));
}

std::string_view or_empty(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

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

PromptRequest read_request(const kandinsky_prompt_options* from) {
  const auto options = read_options(from, kandinsky_prompt_options_init, kFirstPromptOptions,
                                    "kandinsky_prompt_options");
  kandinsky::pipelines::check_batch_size(options.batch_size);
  PromptRequest request;
  request.prompts = read_texts(options.prompts, options.batch_size, "prompts");
  if (options.negative_prompts != nullptr) {
    request.negative_prompts =
        read_texts(options.negative_prompts, options.batch_size, "negative_prompts");
  }
  request.seeds = read_seeds(options.seeds, options.batch_size);
  request.num_inference_steps = options.prior_num_inference_steps;
  request.guidance_scale = options.prior_guidance_scale;
  return request;
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
  kandinsky::pipelines::check_size(width, height);
  return batch_size * width * height * 3;
}

DenoiseRequest read_request(const kandinsky_denoise_options* from, const Engine& engine) {
  const auto options = read_options(from, kandinsky_denoise_options_init, kFirstDenoiseOptions,
                                    "kandinsky_denoise_options");
  kandinsky::pipelines::check_batch_size(options.batch_size);
  DenoiseRequest request;
  request.width = options.width;
  request.height = options.height;
  request.seeds = read_seeds(options.seeds, options.batch_size);
  request.sampler = &required(options.sampler, "sampler");
  request.num_inference_steps = options.num_inference_steps;
  request.guidance_scale = options.guidance_scale;
  if (options.noise != nullptr) {
    request.noise = kandinsky::tensor::from_floats(
        options.noise, latents_shape(engine, options.batch_size, options.width, options.height));
    if (!request.noise.isfinite().all().item<bool>()) {
      throw Error(ErrorCode::kInvalidArgument, "noise has values that are not finite numbers");
    }
  }
  return request;
}

}  // namespace

extern "C" {

const char* kandinsky_last_error(void) { return last_error().c_str(); }

const char* kandinsky_status_name(kandinsky_status status) {
  return status == KANDINSKY_OK ? "ok" : kandinsky::error_code_name(static_cast<ErrorCode>(status));
}

const char* kandinsky_version(void) { return KANDINSKY_VERSION; }

const char* kandinsky_torch_version(void) { return TORCH_VERSION; }

size_t kandinsky_sampler_count(void) { return kandinsky::samplers::samplers().size(); }

const char* kandinsky_sampler_name(size_t index) {
  return index < kandinsky_sampler_count() ? kandinsky::samplers::samplers()[index].name : nullptr;
}

size_t kandinsky_family_count(void) { return kandinsky::pipelines::families().size(); }

const char* kandinsky_family_name(size_t index) {
  return index < kandinsky_family_count() ? kandinsky::pipelines::families()[index].name : nullptr;
}

void kandinsky_component_info_init(kandinsky_component_info* info) {
  *info = {};
  info->struct_size = sizeof(kandinsky_component_info);
}

kandinsky_status kandinsky_folder_open(const char* dir, kandinsky_folder** out) {
  return guarded([&] {
    required(out, "out") =
        new kandinsky_folder{kandinsky::pipelines::describe_folder(&required(dir, "dir"))};
  });
}

void kandinsky_folder_free(kandinsky_folder* folder) { delete folder; }

const char* kandinsky_folder_pipeline(const kandinsky_folder* folder) {
  return folder->folder.pipeline.c_str();
}

const char* kandinsky_folder_family(const kandinsky_folder* folder) {
  return folder->folder.family;
}

int32_t kandinsky_folder_native_size(const kandinsky_folder* folder) {
  return static_cast<int32_t>(folder->folder.native_size);
}

size_t kandinsky_folder_component_count(const kandinsky_folder* folder) {
  return folder->folder.components.size();
}

kandinsky_status kandinsky_folder_component(const kandinsky_folder* folder, size_t index,
                                            kandinsky_component_info* info) {
  return guarded([&] {
    const auto& components = required(folder, "folder").folder.components;
    if (index >= components.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("component {} of a folder that has {}", index, components.size()));
    }
    const auto& component = components[index];
    write_info({.struct_size = 0,
                .name = component.name.c_str(),
                .class_name = component.class_name.c_str(),
                .dtype = component.dtype.c_str(),
                .parameters = component.parameters,
                .tensors = component.tensors,
                .bytes = component.bytes},
               info, "kandinsky_component_info");
  });
}

void kandinsky_engine_options_init(kandinsky_engine_options* options) {
  *options = {.struct_size = sizeof(kandinsky_engine_options),
              .model_dir = nullptr,
              .prior_dir = nullptr,
              .device = "auto",
              .precision = "auto"};
}

void kandinsky_engine_info_init(kandinsky_engine_info* info) {
  *info = {};
  info->struct_size = sizeof(kandinsky_engine_info);
}

kandinsky_status kandinsky_engine_open(const kandinsky_engine_options* from,
                                       kandinsky_engine** out) {
  return guarded([&] {
    const auto options = read_options(from, kandinsky_engine_options_init, kFirstEngineOptions,
                                      "kandinsky_engine_options");
    required(out, "out") = new kandinsky_engine({.model_dir = or_empty(options.model_dir),
                                                 .prior_dir = or_empty(options.prior_dir),
                                                 .device = or_empty(options.device),
                                                 .precision = or_empty(options.precision)});
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
                .size_multiple = static_cast<int32_t>(geometry.size_multiple)},
               info, "kandinsky_engine_info");
  });
}

kandinsky_status kandinsky_engine_unload(kandinsky_engine* engine) {
  return guarded([&] { required(engine, "engine").engine.unload(); });
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
    required(engine, "engine").engine.set_step_sink(std::move(sink));
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
    required(engine, "engine").engine.set_message_sink(std::move(sink));
  });
}

void kandinsky_prompt_options_init(kandinsky_prompt_options* options) {
  const PromptRequest defaults;
  *options = {.struct_size = sizeof(kandinsky_prompt_options),
              .batch_size = 0,
              .prompts = nullptr,
              .negative_prompts = nullptr,
              .seeds = nullptr,
              .prior_num_inference_steps = defaults.num_inference_steps,
              .prior_guidance_scale = defaults.guidance_scale};
}

kandinsky_status kandinsky_encode_prompts(kandinsky_engine* engine,
                                          const kandinsky_prompt_options* options,
                                          kandinsky_embeds** embeds,
                                          kandinsky_embeds** negative_embeds) {
  return guarded([&] {
    auto encoded = required(engine, "engine").engine.encode_prompts(read_request(options));
    std::unique_ptr<kandinsky_embeds> positive(new kandinsky_embeds{std::move(encoded.embeds)});
    std::unique_ptr<kandinsky_embeds> negative(
        new kandinsky_embeds{std::move(encoded.negative_embeds)});
    if (embeds != nullptr) *embeds = positive.release();
    if (negative_embeds != nullptr) *negative_embeds = negative.release();
  });
}

void kandinsky_embeds_free(kandinsky_embeds* embeds) { delete embeds; }

int32_t kandinsky_embeds_batch_size(const kandinsky_embeds* embeds) {
  return embeds == nullptr ? 0 : static_cast<int32_t>(embeds->embeds.batch_size());
}

kandinsky_status kandinsky_embeds_tensor(const kandinsky_embeds* embeds, const char* name,
                                         const float** data, int64_t shape[3]) {
  return guarded([&] {
    const at::Tensor& tensor = required(embeds, "embeds").embeds.at(&required(name, "name"));
    required(data, "data");
    required(shape, "shape");
    *data = tensor.const_data_ptr<float>();
    for (int64_t i = 0; i < 3; ++i) shape[i] = i < tensor.dim() ? tensor.size(i) : 1;
  });
}

kandinsky_status kandinsky_embeds_combine(const kandinsky_embeds* const* items,
                                          const double* weights, size_t count,
                                          kandinsky_embeds** out) {
  return guarded([&] {
    std::vector<const Embeds*> embeds;
    for (size_t i = 0; i < count; ++i)
      embeds.push_back(&required((&required(items, "items"))[i], "item").embeds);
    if (count > 0) required(weights, "weights");
    const kandinsky::tensor::JobGuard guard;
    required(out, "out") =
        new kandinsky_embeds{kandinsky::pipelines::combine_embeds(embeds, {weights, count})};
  });
}

kandinsky_status kandinsky_embeds_save(const kandinsky_embeds* embeds, const char* path) {
  return guarded([&] {
    kandinsky::pipelines::save_embeds(required(embeds, "embeds").embeds, &required(path, "path"));
  });
}

kandinsky_status kandinsky_embeds_load(const char* path, kandinsky_embeds** out) {
  return guarded([&] {
    const kandinsky::tensor::JobGuard guard;
    required(out, "out") =
        new kandinsky_embeds{kandinsky::pipelines::load_embeds(&required(path, "path"))};
  });
}

void kandinsky_denoise_options_init(kandinsky_denoise_options* options) {
  const DenoiseRequest defaults;
  *options = {.struct_size = sizeof(kandinsky_denoise_options),
              .batch_size = 0,
              .width = static_cast<int32_t>(defaults.width),
              .height = static_cast<int32_t>(defaults.height),
              .seeds = nullptr,
              .sampler = kandinsky_sampler_name(0),
              .num_inference_steps = defaults.num_inference_steps,
              .guidance_scale = defaults.guidance_scale,
              .noise = nullptr};
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
    const DenoiseRequest request = read_request(options, of);
    const auto shape = latents_shape(of, static_cast<int64_t>(request.seeds.size()), request.width,
                                     request.height);
    check_buffer("latents", size, count(shape));
    const Embeds* negative = negative_embeds == nullptr ? nullptr : &negative_embeds->embeds;
    const at::Tensor result = of.denoise(required(embeds, "embeds").embeds, negative, request);
    std::memcpy(&required(latents, "latents"), result.const_data_ptr(), size * sizeof(float));
  });
}

kandinsky_status kandinsky_decode(kandinsky_engine* engine, const float* latents,
                                  size_t latents_size, int32_t batch_size, int32_t width,
                                  int32_t height, uint8_t* pictures, size_t pictures_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    kandinsky::pipelines::check_batch_size(batch_size);
    const auto shape = latents_shape(of, batch_size, width, height);
    check_buffer("latents", latents_size, count(shape));
    check_buffer("pictures", pictures_size, picture_count(batch_size, width, height));
    const at::Tensor input = kandinsky::tensor::from_floats(&required(latents, "latents"), shape);
    if (!input.isfinite().all().item<bool>()) {
      throw Error(ErrorCode::kInvalidArgument, "latents have values that are not finite numbers");
    }
    of.decode(input, width, height, &required(pictures, "pictures"));
  });
}

kandinsky_status kandinsky_encode(kandinsky_engine* engine, const uint8_t* pictures,
                                  size_t pictures_size, int32_t batch_size, int32_t width,
                                  int32_t height, float* latents, size_t latents_size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    kandinsky::pipelines::check_batch_size(batch_size);
    const auto shape = latents_shape(of, batch_size, width, height);
    check_buffer("pictures", pictures_size, picture_count(batch_size, width, height));
    check_buffer("latents", latents_size, count(shape));
    const at::Tensor result = of.encode(&required(pictures, "pictures"), batch_size, width, height);
    std::memcpy(&required(latents, "latents"), result.const_data_ptr(),
                latents_size * sizeof(float));
  });
}

kandinsky_status kandinsky_text_to_image(kandinsky_engine* engine,
                                         const kandinsky_prompt_options* prompts,
                                         const kandinsky_denoise_options* denoise,
                                         uint8_t* pictures, size_t size) {
  return guarded([&] {
    Engine& of = required(engine, "engine").engine;
    const PromptRequest prompt_request = read_request(prompts);
    const DenoiseRequest request = read_request(denoise, of);
    if (prompt_request.seeds.size() != request.seeds.size()) {
      throw Error(ErrorCode::kInvalidArgument, "the two batch sizes differ");
    }
    check_buffer(
        "pictures", size,
        picture_count(static_cast<int64_t>(request.seeds.size()), request.width, request.height));
    of.text_to_image(prompt_request, request, &required(pictures, "pictures"));
  });
}

kandinsky_status kandinsky_picture_save(const char* path, const uint8_t* pixels, int32_t width,
                                        int32_t height, const char* parameters) {
  return guarded([&] {
    const int64_t size = picture_count(1, width, height);
    const uint8_t* data = &required(pixels, "pixels");
    const kandinsky::io::Image image{
        .width = width, .height = height, .channels = 3, .pixels = {data, data + size}};
    kandinsky::io::write_image(&required(path, "path"), image,
                               {.parameters = or_empty(parameters)});
  });
}

}  // extern "C"
