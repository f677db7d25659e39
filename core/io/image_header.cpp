#include "io/image_header.h"

#include <cstdint>
#include <string_view>

#include "io/bytes.h"
#include "io/file_parts.h"

namespace kandinsky::io {
namespace {

void read_png(Span<const std::byte> bytes, ImageHeader* header) {
  // Signature, then the IHDR chunk: length, type, width, height.
  if (bytes.size() < 24) return;
  header->width = big_endian(bytes, 16, 4);
  header->height = big_endian(bytes, 20, 4);
  each_png_chunk(bytes, [&](const FilePart& chunk) {
    header->complete = chunk.type == "IEND";
    return !header->complete;
  });
}

/// Whether a segment starts a frame, by any process. 0xC4, 0xC8 and 0xCC in that range are tables
/// and a reserved code.
bool starts_frame(std::uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

void read_jpeg(Span<const std::byte> bytes, ImageHeader* header) {
  constexpr std::uint32_t kStartOfScan = 0xDA;
  constexpr std::string_view kEndOfImage = "\xFF\xD9";
  each_jpeg_segment(bytes, [&](const FilePart& segment) {
    const auto marker = static_cast<std::uint8_t>(segment.type[0]);
    if (starts_frame(marker)) {
      if (segment.data.size() < 5) return false;
      header->height = big_endian(segment.data, 1, 2);
      header->width = big_endian(segment.data, 3, 2);
    }
    // The compressed data follow, which have no other FF D9 in them.
    if (marker == kStartOfScan) {
      const std::size_t end =
          static_cast<std::size_t>(segment.whole.data() - bytes.data()) + segment.whole.size();
      header->complete = text_of(bytes.subspan(end)).find(kEndOfImage) != std::string_view::npos;
    }
    return true;
  });
}

void read_webp(Span<const std::byte> bytes, ImageHeader* header) {
  if (bytes.size() < 30) return;
  const std::string_view kind = text_of(bytes).substr(12, 4);
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
  const std::string_view text = text_of(bytes);
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
    read_webp(bytes, &header);
  } else {
    return std::nullopt;
  }
  return header;
}

}  // namespace kandinsky::io
