/// The part of kandinsky.h for options.
#include "engine/c_api_options.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/c_api_guard.h"
#include "engine/engine.h"
#include "io/images/image.h"
#include "options/options.h"
#include "options/requests.h"
#include "options/table.h"
#include "options/types.h"
#include "tensor/bridge.h"
#include "tensor/device.h"
#include "tensor/team.h"

using kandinsky::Error;
using kandinsky::ErrorCode;
using kandinsky::Span;
using kandinsky::engine::check_count;
using kandinsky::engine::guarded;
using kandinsky::engine::init_info;
using kandinsky::engine::read_image;
using kandinsky::engine::required;
using kandinsky::engine::write_info;
using kandinsky::options::OptionRow;

namespace {

/// More than any option has; each option checks its own maximum.
constexpr size_t kMaxItems = size_t{1} << 20U;
constexpr int64_t kMaxFloats = int64_t{1} << 32U;

template <typename Value>
Span<const Value> items(const Value* values, size_t count, const char* name,
                        size_t most = kMaxItems) {
  if (count > 0) required(values, "values");
  check_count(name, count, most);
  return {values, count};
}

/// Calls set(options, name) if neither is NULL.
template <typename Set>
kandinsky_status set_option(kandinsky_options* options, const char* name, const Set& set) {
  return guarded([&] { set(required(options, "options").options, &required(name, "name")); });
}

static_assert(static_cast<int>(kandinsky::options::OptionType::kFlag) == KANDINSKY_FLAG);
static_assert(static_cast<int>(kandinsky::options::OptionType::kText) == KANDINSKY_TEXT);
static_assert(static_cast<int>(kandinsky::options::OptionType::kFloats) == KANDINSKY_FLOATS);
static_assert(static_cast<int>(kandinsky::options::OptionType::kConditions) ==
              KANDINSKY_CONDITIONS);

}  // namespace

extern "C" {

kandinsky_status kandinsky_options_new(const char* operation, kandinsky_options** out) {
  return guarded([&] {
    required(out, "out");
    *out = new kandinsky_options{kandinsky::options::Options(&required(operation, "operation"))};
  });
}

void kandinsky_options_free(kandinsky_options* options) { delete options; }

kandinsky_status kandinsky_options_set_flag(kandinsky_options* options, const char* name,
                                            int32_t value) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    if (value != 0 && value != 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} is {}, expected 0 or 1", key, value));
    }
    to.set_flag(key, value == 1);
  });
}

kandinsky_status kandinsky_options_set_integer(kandinsky_options* options, const char* name,
                                               int64_t value) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    to.set_integer(key, value);
  });
}

kandinsky_status kandinsky_options_set_number(kandinsky_options* options, const char* name,
                                              double value) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    to.set_number(key, value);
  });
}

kandinsky_status kandinsky_options_set_text(kandinsky_options* options, const char* name,
                                            const char* value) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    to.set_text(key, &required(value, "value"));
  });
}

kandinsky_status kandinsky_options_set_texts(kandinsky_options* options, const char* name,
                                             const char* const* values, size_t count) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    std::vector<std::string> texts;
    for (const char* text : items(values, count, name)) texts.emplace_back(&required(text, name));
    to.set_texts(key, std::move(texts));
  });
}

kandinsky_status kandinsky_options_set_seeds(kandinsky_options* options, const char* name,
                                             const uint64_t* values, size_t count) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    const auto seeds = items(values, count, name);
    to.set_seeds(key, {seeds.begin(), seeds.end()});
  });
}

kandinsky_status kandinsky_options_set_floats(kandinsky_options* options, const char* name,
                                              const float* values, const int64_t shape[4]) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    if (values == nullptr) {
      to.set_floats(key, {}, {});
      return;
    }
    required(shape, "shape");
    std::array<int64_t, 4> sides{};
    int64_t count = 1;
    for (size_t i = 0; i < sides.size(); ++i) {
      sides[i] = shape[i];
      if (sides[i] < 1 || sides[i] > kMaxFloats / count) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{}: no latents have a shape of [{}, {}, {}, {}]", key, shape[0],
                                shape[1], shape[2], shape[3]));
      }
      count *= sides[i];
    }
    to.set_floats(key, {values, static_cast<size_t>(count)}, sides);
  });
}

kandinsky_status kandinsky_options_set_images(kandinsky_options* options, const char* name,
                                              const kandinsky_image* values, size_t count) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    std::vector<kandinsky::io::Image> images;
    for (const kandinsky_image& image : items(values, count, name, kandinsky::kMaxBatchSize))
      images.push_back(read_image(image, name));
    to.set_images(key, std::move(images));
  });
}

kandinsky_status kandinsky_options_set_conditions(kandinsky_options* options, const char* name,
                                                  const kandinsky_condition* values, size_t count) {
  return set_option(options, name, [&](kandinsky::options::Options& to, std::string_view key) {
    std::vector<kandinsky::Condition> conditions;
    for (const kandinsky_condition& from : items(values, count, name)) {
      conditions.push_back({.row = from.row,
                            .image = from.image,
                            .first_step = from.first_step,
                            .last_step = from.last_step,
                            .weight = from.weight});
    }
    to.set_conditions(key, std::move(conditions));
  });
}

kandinsky_status kandinsky_options_get_text(kandinsky_options* options, const char* name,
                                            const char** out) {
  return guarded([&] {
    required(out, "out");
    std::string text = required(options, "options").options.text(&required(name, "name"));
    options->text = std::move(text);
    *out = options->text.c_str();
  });
}

void kandinsky_option_info_init_sized(kandinsky_option_info* info, size_t size) {
  init_info(info, size);
}

size_t kandinsky_operation_count(void) { return kandinsky::options::operations().size(); }

const char* kandinsky_operation_name(size_t index) {
  return index < kandinsky_operation_count() ? kandinsky::options::operations()[index].name
                                             : nullptr;
}

size_t kandinsky_option_count(const char* operation) {
  for (const kandinsky::options::Operation& known : kandinsky::options::operations()) {
    if (operation != nullptr && std::string_view(operation) == known.name) return known.rows.size();
  }
  return 0;
}

kandinsky_status kandinsky_option_get_info(const char* operation, size_t index,
                                           kandinsky_option_info* info) {
  return guarded([&] {
    const auto& rows = kandinsky::options::find_operation(&required(operation, "operation")).rows;
    if (index >= rows.size()) {
      throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no option {} of {}, only {}",
                                                           index, operation, rows.size()));
    }
    const OptionRow& row = *rows[index];
    write_info({.struct_size = 0,
                .type = static_cast<kandinsky_option_type>(row.type),
                .name = row.name,
                .group = kandinsky::options::group_title(row.group),
                .default_value = row.default_value ? row.default_value->c_str() : nullptr,
                .minimum = row.minimum,
                .maximum = row.maximum,
                .words = row.words.empty() ? nullptr : row.words.data(),
                .word_count = row.words.size(),
                .unit = row.unit,
                .help = row.help,
                .source = row.source},
               info, "kandinsky_option_info");
  });
}

}  // extern "C"

namespace kandinsky::engine {
namespace {

/// For lists with one item for each image.
void check_given(const char* name, size_t count) {
  if (count > 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{}: none are given, one is needed for each image", name));
}

/// Samplers may work in place.
at::Tensor copy_of(const at::Tensor& floats) {
  return floats.defined() ? floats.clone() : at::Tensor();
}

}  // namespace

const options::OptionValues& read_options(const kandinsky_options* from, const char* operation) {
  return required(from, "options").options.values_for(operation);
}

PromptRequest prompt_request(const options::OptionValues& values) {
  check_given("prompts", values.prompt.prompts.size());
  PromptRequest request = values.prompt;
  request.seeds = values.denoise.seeds;
  return request;
}

DenoiseRequest denoise_request(const options::OptionValues& values) {
  check_given("seeds", values.denoise.seeds.size());
  DenoiseRequest request = values.denoise;
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  request.noise = copy_of(request.noise);
  request.init_latents = copy_of(request.init_latents);
  request.mask = copy_of(request.mask);
  return request;
}

at::Tensor read_latents(const float* data, const std::array<int64_t, 4>& shape) {
  options::check_floats("latents", {data, static_cast<size_t>(count(shape))});
  const tensor::TeamGuard team;
  const tensor::JobGuard guard;
  return tensor::from_floats(data, shape);
}

io::Image read_image(const kandinsky_image& from, const char* name) {
  // A start image may be larger than any generated image.
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

int64_t image_size(int64_t width, int64_t height) {
  check_size(width, height);
  return width * height * 3;
}

}  // namespace kandinsky::engine
