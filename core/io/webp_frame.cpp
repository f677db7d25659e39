#include "io/webp_frame.h"

#include <string_view>

#include "io/bytes.h"
#include "io/file_parts.h"

namespace kandinsky::io {
namespace {

void append(std::string_view text, std::vector<std::byte>* out) {
  const auto bytes = std::as_bytes(Span<const char>(text.data(), text.size()));
  out->insert(out->end(), bytes.begin(), bytes.end());
}

void append_little_endian(std::size_t value, std::size_t count, std::vector<std::byte>* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out->push_back(static_cast<std::byte>(value >> (8 * i) & 0xFFU));
  }
}

/// frame: the data of an ANMF chunk.
WebpFrame still_of(Span<const std::byte> frame) {
  // x / 2, y / 2, width - 1, height - 1, duration, 3 bytes each, and flags; then chunks.
  constexpr std::size_t kFrameHeaderBytes = 16;
  WebpFrame still;
  if (frame.size() < kFrameHeaderBytes) return still;
  still.x = static_cast<int>(little_endian(frame, 0, 3) * 2);
  still.y = static_cast<int>(little_endian(frame, 3, 3) * 2);
  Span<const std::byte> alpha;
  Span<const std::byte> picture;
  each_webp_chunk(frame.subspan(kFrameHeaderBytes), [&](const FilePart& chunk) {
    if (chunk.type == "ALPH") alpha = chunk.whole;
    if (chunk.type == "VP8 " || chunk.type == "VP8L") picture = chunk.whole;
    return picture.empty();
  });
  if (picture.empty()) return still;
  std::vector<std::byte> chunks;
  // Only the extended form may have an alpha chunk.
  if (!alpha.empty()) {
    constexpr std::size_t kAlphaFlag = 0x10;
    append("VP8X", &chunks);
    append_little_endian(10, 4, &chunks);
    append_little_endian(kAlphaFlag, 4, &chunks);
    append_little_endian(little_endian(frame, 6, 3), 3, &chunks);
    append_little_endian(little_endian(frame, 9, 3), 3, &chunks);
    chunks.insert(chunks.end(), alpha.begin(), alpha.end());
  }
  chunks.insert(chunks.end(), picture.begin(), picture.end());
  append("RIFF", &still.file);
  append_little_endian(4 + chunks.size(), 4, &still.file);
  append("WEBP", &still.file);
  still.file.insert(still.file.end(), chunks.begin(), chunks.end());
  return still;
}

}  // namespace

std::optional<WebpFrame> first_webp_frame(Span<const std::byte> bytes) {
  std::optional<WebpFrame> found;
  if (bytes.size() < kWebpFileHeaderBytes) return found;
  each_webp_chunk(bytes.subspan(kWebpFileHeaderBytes), [&](const FilePart& chunk) {
    if (chunk.type == "ANIM") found.emplace();
    if (chunk.type == "ANMF") found = still_of(chunk.data);
    return chunk.type != "ANMF";
  });
  return found;
}

}  // namespace kandinsky::io
