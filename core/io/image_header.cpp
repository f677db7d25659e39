#include "io/image_header.h"

#include <string_view>

#include "io/bytes.h"

namespace kandinsky::io {
namespace {

void read_png(Span<const std::byte> bytes, ImageHeader* header) {
  // Signature, then the IHDR chunk: length, type, width, height.
  if (bytes.size() < 24) return;
  header->width = big_endian(bytes, 16, 4);
  header->height = big_endian(bytes, 20, 4);
  // Every chunk is length, type, data, checksum.
  constexpr std::size_t kChunkFrame = 12;
  constexpr std::uint32_t kEndChunk = 0x49454E44;  // "IEND"
  std::size_t at = 8;
  while (bytes.size() - at >= kChunkFrame) {
    const std::size_t length = big_endian(bytes, at, 4);
    if (length > bytes.size() - at - kChunkFrame) return;
    if (big_endian(bytes, at + 4, 4) == kEndChunk) {
      header->complete = true;
      return;
    }
    at += kChunkFrame + length;
  }
}

/// True when an end-of-image marker follows; from is inside the compressed data, where no other FF
/// D9 occurs.
bool has_end_of_image(Span<const std::byte> bytes, std::size_t from) {
  for (std::size_t i = from; i + 1 < bytes.size(); ++i) {
    if (byte_at(bytes, i) == 0xFF && byte_at(bytes, i + 1) == 0xD9) return true;
  }
  return false;
}

void read_jpeg(Span<const std::byte> bytes, ImageHeader* header) {
  constexpr std::uint32_t kStartOfScan = 0xDA;
  std::size_t at = 2;
  while (at + 4 <= bytes.size()) {
    if (byte_at(bytes, at) != 0xFF) return;
    const std::uint32_t marker = byte_at(bytes, at + 1);
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const std::size_t length = big_endian(bytes, at + 2, 2);
    if (length < 2) return;
    // Start of frame, any process; 0xC4, 0xC8 and 0xCC in that range are tables and a reserved
    // code.
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      if (at + 9 > bytes.size()) return;
      header->height = big_endian(bytes, at + 5, 2);
      header->width = big_endian(bytes, at + 7, 2);
    }
    at += 2 + length;
    if (marker == kStartOfScan) {
      header->complete = has_end_of_image(bytes, at);
      return;
    }
  }
}

void read_webp(Span<const std::byte> bytes, std::string_view text, ImageHeader* header) {
  if (bytes.size() < 30) return;
  const std::string_view kind = text.substr(12, 4);
  if (kind == "VP8X") {
    header->width = little_endian(bytes, 24, 3) + 1;
    header->height = little_endian(bytes, 27, 3) + 1;
  } else if (kind == "VP8L") {
    const std::uint32_t packed = little_endian(bytes, 21, 4);
    header->width = (packed & 0x3FFFU) + 1;
    header->height = ((packed >> 14U) & 0x3FFFU) + 1;
  } else if (kind == "VP8 ") {
    header->width = little_endian(bytes, 26, 2) & 0x3FFFU;
    header->height = little_endian(bytes, 28, 2) & 0x3FFFU;
  }
  header->complete = bytes.size() - 8 >= little_endian(bytes, 4, 4);
}

}  // namespace

std::optional<ImageHeader> read_image_header(Span<const std::byte> bytes) noexcept {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  ImageHeader header;
  if (text.starts_with("\x89PNG\r\n\x1a\n")) {
    header.format = ImageFormat::kPng;
    read_png(bytes, &header);
  } else if (text.starts_with("\xFF\xD8\xFF")) {
    header.format = ImageFormat::kJpeg;
    read_jpeg(bytes, &header);
  } else if (text.starts_with("RIFF") && text.substr(0, 12).ends_with("WEBP") &&
             text.size() >= 12) {
    header.format = ImageFormat::kWebp;
    read_webp(bytes, text, &header);
  } else {
    return std::nullopt;
  }
  return header;
}

}  // namespace kandinsky::io
