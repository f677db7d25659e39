#include "io/webp_frame.h"

#include <functional>
#include <string_view>

#include "io/bytes.h"

namespace kandinsky::io {
namespace {

constexpr std::size_t kFileHeaderBytes = 12;  // "RIFF", size, "WEBP"
constexpr std::size_t kChunkHeaderBytes = 8;  // type, length

/// Calls visit with type, data, and type to end with its padding for each whole chunk, until it
/// answers false.
void each_chunk(Span<const std::byte> chunks,
                const std::function<bool(std::string_view, Span<const std::byte>,
                                         Span<const std::byte>)>& visit) {
  while (chunks.size() >= kChunkHeaderBytes) {
    const std::string_view type(reinterpret_cast<const char*>(chunks.data()), 4);
    const std::size_t length = little_endian(chunks, 4, 4);
    if (length > chunks.size() - kChunkHeaderBytes) return;
    const std::size_t whole = kChunkHeaderBytes + length + length % 2;
    if (whole > chunks.size()) return;
    if (!visit(type, chunks.subspan(kChunkHeaderBytes, length), chunks.first(whole))) return;
    chunks = chunks.subspan(whole);
  }
}

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
  each_chunk(frame.subspan(kFrameHeaderBytes),
             [&](std::string_view type, Span<const std::byte>, Span<const std::byte> whole) {
               if (type == "ALPH") alpha = whole;
               if (type == "VP8 " || type == "VP8L") picture = whole;
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
  if (bytes.size() < kFileHeaderBytes) return found;
  each_chunk(bytes.subspan(kFileHeaderBytes),
             [&](std::string_view type, Span<const std::byte> data, Span<const std::byte>) {
               if (type == "ANIM") found.emplace();
               if (type == "ANMF") found = still_of(data);
               return type != "ANMF";
             });
  return found;
}

}  // namespace kandinsky::io
