/// The part of kandinsky.h without an engine: lists, image files, folders.
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "convert/convert.h"
#include "engine/c_api_guard.h"
#include "io/atomic_file.h"
#include "io/images/codec.h"
#include "io/images/image.h"
#include "io/model_dir.h"
#include "io/weights_digest.h"
#include "options/requests.h"
#include "pipelines/families/families.h"
#include "pipelines/families/folder.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"
#include "tensor/device.h"
#include "tensor/speedups.h"
#include "tensor/team.h"

using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::engine::guarded;
using kandinsky::engine::init_info;
using kandinsky::engine::or_empty;
using kandinsky::engine::required;
using kandinsky::engine::write_info;

struct kandinsky_folder {
  kandinsky::pipelines::Folder folder;
};

namespace {

/// An image created by this library: its first member is the caller's struct.
struct LoadedImage {
  kandinsky_image view{};
  kandinsky::io::Image image;
};

kandinsky_image* hand_over(kandinsky::io::Image image) {
  auto loaded = std::make_unique<LoadedImage>();
  loaded->image = std::move(image);
  loaded->view = {.pixels = loaded->image.pixels.data(),
                  .width = loaded->image.width,
                  .height = loaded->image.height,
                  .channels = loaded->image.channels};
  return &loaded.release()->view;
}

kandinsky::io::Image rgb_image(const uint8_t* pixels, int32_t width, int32_t height) {
  kandinsky::check_size(width, height);
  const int64_t size = int64_t{width} * height * 3;
  const uint8_t* data = &required(pixels, "pixels");
  return {.width = width, .height = height, .channels = 3, .pixels = {data, data + size}};
}

}  // namespace

extern "C" {

const char* kandinsky_last_error(void) { return kandinsky::engine::last_error(); }

const char* kandinsky_status_name(kandinsky_status status) {
  return status == KANDINSKY_OK ? "ok" : kandinsky::error_code_name(static_cast<ErrorCode>(status));
}

uint32_t kandinsky_abi_version(void) { return KANDINSKY_ABI_VERSION; }

const char* kandinsky_version(void) { return KANDINSKY_VERSION; }

const char* kandinsky_torch_version(void) { return TORCH_VERSION; }

size_t kandinsky_sampler_count(void) { return kandinsky::samplers::samplers().size(); }

const char* kandinsky_sampler_name(size_t index) {
  return index < kandinsky_sampler_count() ? kandinsky::samplers::samplers()[index].name : nullptr;
}

const char* kandinsky_sampler_description(size_t index) {
  return index < kandinsky_sampler_count() ? kandinsky::samplers::samplers()[index].description
                                           : nullptr;
}

size_t kandinsky_scheduler_count(void) { return kandinsky::samplers::schedulers().size(); }

const char* kandinsky_scheduler_name(size_t index) {
  return index < kandinsky_scheduler_count() ? kandinsky::samplers::schedulers()[index].name
                                             : nullptr;
}

const char* kandinsky_scheduler_description(size_t index) {
  return index < kandinsky_scheduler_count() ? kandinsky::samplers::schedulers()[index].description
                                             : nullptr;
}

size_t kandinsky_speedup_count(void) { return kandinsky::tensor::speedups().size(); }

const char* kandinsky_speedup_name(size_t index) {
  return index < kandinsky_speedup_count() ? kandinsky::tensor::speedups()[index].name : nullptr;
}

const char* kandinsky_speedup_description(size_t index) {
  return index < kandinsky_speedup_count() ? kandinsky::tensor::speedups()[index].description
                                           : nullptr;
}

size_t kandinsky_family_count(void) { return kandinsky::pipelines::families().size(); }

const char* kandinsky_family_name(size_t index) {
  return index < kandinsky_family_count() ? kandinsky::pipelines::families()[index].name : nullptr;
}

kandinsky_status kandinsky_set_num_threads(int32_t threads) {
  return guarded([&] {
    constexpr int32_t kMost = 1024;
    if (threads < 1 || threads > kMost) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} threads, expected 1 to {}", threads, kMost));
    }
    at::set_num_threads(threads);
  });
}

kandinsky_status kandinsky_image_load(const char* path, kandinsky_image** out) {
  return guarded([&] {
    required(out, "out");
    *out = hand_over(kandinsky::io::read_image(&required(path, "path")));
  });
}

kandinsky_status kandinsky_image_decode(const uint8_t* bytes, size_t size, const char* name,
                                        kandinsky_image** out) {
  return guarded([&] {
    required(out, "out");
    if (size > 0) required(bytes, "bytes");
    const auto* const data = reinterpret_cast<const std::byte*>(bytes);
    *out =
        hand_over(kandinsky::io::decode_image({data, size}, kandinsky::io::ImageChannels::kAsStored,
                                              name == nullptr ? "the image" : name));
  });
}

void kandinsky_image_free(kandinsky_image* image) {
  static_assert(std::is_standard_layout_v<LoadedImage>);
  delete reinterpret_cast<LoadedImage*>(image);
}

kandinsky_status kandinsky_image_save(const char* path, const uint8_t* pixels, int32_t width,
                                      int32_t height, const char* parameters) {
  return guarded([&] {
    const kandinsky::io::Image image = rgb_image(pixels, width, height);
    kandinsky::io::write_image(&required(path, "path"), image,
                               {.parameters = or_empty(parameters)});
  });
}

kandinsky_status kandinsky_image_encode(const char* format, const uint8_t* pixels, int32_t width,
                                        int32_t height, const char* parameters, uint8_t** out,
                                        size_t* out_size) {
  return guarded([&] {
    required(out, "out");
    required(out_size, "out_size");
    const auto kind =
        kandinsky::io::image_format_for(fmt::format("image.{}", &required(format, "format")));
    const std::vector<std::uint8_t> file = kandinsky::io::encode_image(
        rgb_image(pixels, width, height), kind, {.parameters = or_empty(parameters)});
    auto copy = std::make_unique<std::uint8_t[]>(file.size());
    std::ranges::copy(file, copy.get());
    *out_size = file.size();
    *out = copy.release();
  });
}

void kandinsky_bytes_free(uint8_t* bytes) { delete[] bytes; }

kandinsky_status kandinsky_check_writable(const char* path) {
  return guarded([&] { kandinsky::io::check_writable(&required(path, "path")); });
}

kandinsky_status kandinsky_convert(const char* const* inputs, size_t count, const char* output,
                                   const char* precision, kandinsky_progress_fn progress,
                                   kandinsky_message_fn message, void* user_data) {
  return guarded([&] {
    constexpr size_t kMostInputs = 100;
    kandinsky::engine::check_count("inputs", count, kMostInputs);
    kandinsky::convert::ConvertRequest request{.inputs = {},
                                               .output = &required(output, "output"),
                                               .precision = &required(precision, "precision")};
    if (count > 0) required(inputs, "inputs");
    for (size_t i = 0; i < count; ++i) request.inputs.emplace_back(&required(inputs[i], "inputs"));
    const kandinsky::convert::Report report = [&](const char* component, int step, int steps) {
      if (progress == nullptr) return;
      const kandinsky_progress now{.struct_size = sizeof(kandinsky_progress),
                                   .stage = component,
                                   .step = step,
                                   .steps = steps,
                                   .latents = nullptr,
                                   .shape = {}};
      if (progress(&now, user_data) == KANDINSKY_CONTINUE) return;
      throw Error(ErrorCode::kCancelled,
                  "stopped; finished files are kept, and the same conversion resumes");
    };
    const kandinsky::convert::Say say = [&](const std::string& text) {
      if (message != nullptr) message(text.c_str(), user_data);
    };
    const kandinsky::tensor::TeamGuard team;
    const kandinsky::tensor::JobGuard guard;
    kandinsky::convert::convert(request, report, say);
  });
}

void kandinsky_component_info_init_sized(kandinsky_component_info* info, size_t size) {
  init_info(info, size);
}

kandinsky_status kandinsky_folder_recognize(const char* dir, const char** family,
                                            const char** role) {
  return guarded([&] {
    const char*& its_family = required(family, "family");
    const char*& its_role = required(role, "role");
    const auto model = kandinsky::io::ModelDir::open(&required(dir, "dir"));
    const auto* const found = kandinsky::pipelines::find_family(model);
    its_role = found == nullptr ? "" : found->role_of(model);
    its_family = found == nullptr ? "" : found->name;
  });
}

kandinsky_status kandinsky_folder_digest(const char* dir, char digest[65]) {
  return guarded([&] {
    const auto folder = kandinsky::io::ModelDir::open(&required(dir, "dir"));
    char* const out = &required(digest, "digest");
    const kandinsky::HexDigest found = kandinsky::io::digest_folder(folder);
    static_assert(found.size() + 1 == 65);
    *std::copy(found.begin(), found.end(), out) = '\0';
  });
}

kandinsky_status kandinsky_folder_open(const char* dir, kandinsky_folder** out) {
  return guarded([&] {
    kandinsky_folder*& folder = required(out, "out");
    folder = new kandinsky_folder{kandinsky::pipelines::describe_folder(&required(dir, "dir"))};
  });
}

void kandinsky_folder_free(kandinsky_folder* folder) { delete folder; }

const char* kandinsky_folder_pipeline(const kandinsky_folder* folder) {
  return folder == nullptr ? nullptr : folder->folder.pipeline.c_str();
}

const char* kandinsky_folder_family(const kandinsky_folder* folder) {
  return folder == nullptr ? nullptr : folder->folder.family;
}

int32_t kandinsky_folder_native_size(const kandinsky_folder* folder) {
  return folder == nullptr ? 0 : static_cast<int32_t>(folder->folder.native_size);
}

size_t kandinsky_folder_component_count(const kandinsky_folder* folder) {
  return folder == nullptr ? 0 : folder->folder.components.size();
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
                .bytes = component.bytes,
                .is_checked = component.is_checked ? 1 : 0},
               info, "kandinsky_component_info");
  });
}

}  // extern "C"
