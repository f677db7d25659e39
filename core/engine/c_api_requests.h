/// The options of kandinsky.h -> requests. All throw Error(kInvalidArgument) for values that no job
/// could use; ranges are checked by the requests themselves.
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "engine/c_api_guard.h"
#include "engine/engine.h"
#include "kandinsky.h"
#include "pipelines/request.h"

namespace kandinsky::engine {

/// The value that a word stands for. Throws Error(kInvalidArgument) listing the known ones.
template <typename Value>
Value read_word(const char* field, const char* word,
                std::initializer_list<std::pair<std::string_view, Value>> known) {
  std::string names;
  for (const auto& [name, value] : known) {
    if (name == &required(word, field)) return value;
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name);
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} is \"{}\", expected one of: {}", field, word, names));
}

/// Throws for a number that is neither 0 nor 1.
bool read_switch(const char* name, int32_t value);

pipelines::PromptRequest read_request(const kandinsky_prompt_options* from);

pipelines::DenoiseRequest read_request(const kandinsky_denoise_options* from, const Engine& engine);

pipelines::SourceRequest read_request(const kandinsky_source_options* from);

kandinsky_decode_options read_checked(const kandinsky_decode_options* from);

/// A caller's numbers as a tensor, or an undefined one for NULL. Throws for numbers that are not
/// finite, and for such as no latents have.
at::Tensor read_floats(const char* name, const float* data, const std::array<int64_t, 4>& shape);

/// The picture's pixels, copied.
io::Image read_picture(const kandinsky_picture& from, const char* name);

/// Throws unless the caller's buffer has just the size that is needed.
void check_buffer(const char* name, size_t size, int64_t expected);

/// [batch_size, channels, height, width] of the latents of such pictures.
std::array<int64_t, 4> latents_shape(const Engine& engine, int64_t batch_size, int64_t width,
                                     int64_t height);

int64_t count(const std::array<int64_t, 4>& shape);

/// Bytes of a batch of RGB pictures. Throws for sides out of range.
int64_t picture_count(int64_t batch_size, int64_t width, int64_t height);

}  // namespace kandinsky::engine
