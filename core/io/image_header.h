#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/span.h"
#include "io/codec.h"

namespace kandinsky::io {

struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool complete = false;  ///< The format's end mark is there, so the file was not cut off.
};

/// What the first bytes of a PNG, JPEG or WebP file say, read without a decoder so that the size
/// can be judged before anything is allocated. Width and height are 0 when the file ends, or stops
/// making sense, before them. Nothing for another format.
std::optional<ImageHeader> read_image_header(Span<const std::byte> bytes) noexcept;

}  // namespace kandinsky::io
