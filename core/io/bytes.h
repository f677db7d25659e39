#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/span.h"

/// A file's bytes as text, and numbers of up to 4 bytes among them; at + count must not exceed
/// them.
namespace kandinsky::io {

inline std::string_view text_of(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::uint32_t byte_at(Span<const std::byte> bytes, std::size_t i) {
  return std::to_integer<std::uint32_t>(bytes[i]);
}

inline std::uint32_t big_endian(Span<const std::byte> bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8U | byte_at(bytes, at + i);
  return value;
}

inline std::uint32_t little_endian(Span<const std::byte> bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = count; i > 0; --i) value = value << 8U | byte_at(bytes, at + i - 1);
  return value;
}

}  // namespace kandinsky::io
