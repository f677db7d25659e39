/// kandinsky_options, and the caller's buffers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/engine.h"
#include "io/images/image.h"
#include "kandinsky.h"
#include "options/options.h"
#include "options/requests.h"

struct kandinsky_options {
  kandinsky::options::Options options;
  std::string text{};  ///< returned last
};

namespace kandinsky::engine {

/// The values, if they are options of that operation. Throws Error(kInvalidArgument) if not.
const options::OptionValues& read_options(const kandinsky_options* from, const char* operation);

/// Requests made from the values, including shared options of the stages. Throws
/// Error(kInvalidArgument) for an empty batch.
PromptRequest prompt_request(const options::OptionValues& values);
DenoiseRequest denoise_request(const options::OptionValues& values);

/// A caller's floats as a tensor. Throws for numbers that are not finite or out of the
/// range of latents.
at::Tensor read_latents(const float* data, const std::array<int64_t, 4>& shape);

/// The image's pixels, copied.
io::Image read_image(const kandinsky_image& from, const char* name);

/// Throws unless the caller's buffer has exactly the required size.
void check_buffer(const char* name, size_t size, int64_t expected);

/// [batch_size, channels, height, width] of the latents of these images.
std::array<int64_t, 4> latents_shape(const Engine& engine, int64_t batch_size, int64_t width,
                                     int64_t height);

int64_t count(const std::array<int64_t, 4>& shape);

/// Bytes of one RGB image. Throws for sides out of range.
int64_t image_size(int64_t width, int64_t height);

}  // namespace kandinsky::engine
