#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/span.h"
#include "io/bytes.h"

/// The pieces that PNG, JPEG and WebP files consist of. Each walk calls visit(const FilePart&) for
/// whole ones until it answers false, or the file ends or stops making sense.
namespace kandinsky::io {

struct FilePart {
  std::string_view type;  ///< a chunk's four letters, or the second byte of a JPEG's marker
  Span<const std::byte> data;
  Span<const std::byte> whole;  ///< with its header and what follows the data
};

inline std::string_view text_of(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Chunks of length, type, data, checksum after the signature.
template <typename Visit>
void each_png_chunk(Span<const std::byte> file, const Visit& visit) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kFrame = kHeader + 4;
  if (file.size() < kSignature) return;
  Span<const std::byte> rest = file.subspan(kSignature);
  while (rest.size() >= kFrame) {
    const std::size_t length = big_endian(rest, 0, 4);
    if (length > rest.size() - kFrame) return;
    const FilePart chunk{.type = text_of(rest).substr(4, 4),
                         .data = rest.subspan(kHeader, length),
                         .whole = rest.first(kFrame + length)};
    if (!visit(chunk)) return;
    rest = rest.subspan(chunk.whole.size());
  }
}

inline constexpr std::size_t kWebpFileHeaderBytes = 12;  // "RIFF", size, "WEBP"

/// Chunks of type, length, data and a byte of padding where the length is odd.
template <typename Visit>
void each_webp_chunk(Span<const std::byte> chunks, const Visit& visit) {
  constexpr std::size_t kHeader = 8;
  while (chunks.size() >= kHeader) {
    const std::size_t length = little_endian(chunks, 4, 4);
    if (length > chunks.size() - kHeader) return;
    const std::size_t padded = std::min(kHeader + length + length % 2, chunks.size());
    const FilePart chunk{.type = text_of(chunks).substr(0, 4),
                         .data = chunks.subspan(kHeader, length),
                         .whole = chunks.first(padded)};
    if (!visit(chunk)) return;
    chunks = chunks.subspan(padded);
  }
}

/// Segments of marker, length, data up to the start of scan, which is the last.
template <typename Visit>
void each_jpeg_segment(Span<const std::byte> file, const Visit& visit) {
  constexpr std::size_t kMarker = 2;
  constexpr std::size_t kHeader = 4;
  constexpr std::uint32_t kStartOfScan = 0xDA;
  if (file.size() < kMarker) return;
  Span<const std::byte> rest = file.subspan(kMarker);
  while (rest.size() >= kHeader && byte_at(rest, 0) == 0xFF) {
    const std::uint32_t marker = byte_at(rest, 1);
    if (marker == 0xFF) {  // fill byte
      rest = rest.subspan(1);
      continue;
    }
    const std::size_t length = big_endian(rest, kMarker, 2);  // its own two bytes count
    if (length < 2 || length > rest.size() - kMarker) return;
    const FilePart segment{.type = text_of(rest).substr(1, 1),
                           .data = rest.subspan(kHeader, length - 2),
                           .whole = rest.first(kMarker + length)};
    if (!visit(segment) || marker == kStartOfScan) return;
    rest = rest.subspan(segment.whole.size());
  }
}

}  // namespace kandinsky::io
