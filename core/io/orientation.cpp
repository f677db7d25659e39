#include "io/orientation.h"

#include <opencv2/core.hpp>
#include <string_view>

#include "io/bytes.h"

namespace kandinsky::io {
namespace {

constexpr std::string_view kExifMark("Exif\0\0", 6);

std::string_view text_of(Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// From EXIF data, which are a TIFF file: byte order, 42, place of the first directory. An entry is
/// tag, type, count, value.
int orientation_of(Span<const std::byte> exif) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShort = 3;
  constexpr std::size_t kEntryBytes = 12;
  if (text_of(exif).starts_with(kExifMark)) exif = exif.subspan(kExifMark.size());
  const bool little = text_of(exif).starts_with("II");
  if (exif.size() < 8 || (!little && !text_of(exif).starts_with("MM"))) return 1;
  const auto number = [&](std::size_t at, std::size_t count) {
    return little ? little_endian(exif, at, count) : big_endian(exif, at, count);
  };
  const std::size_t directory = number(4, 4);
  if (number(2, 2) != 42 || directory > exif.size() - 2) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (at + kEntryBytes > exif.size()) return 1;
    if (number(at, 2) != kOrientationTag) continue;
    const std::uint32_t value = number(at + 8, 2);
    const bool valid = number(at + 2, 2) == kShort && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

int read_jpeg(Span<const std::byte> bytes) {
  constexpr std::uint32_t kApp1 = 0xE1;
  constexpr std::uint32_t kStartOfScan = 0xDA;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && byte_at(bytes, at) == 0xFF) {
    const std::uint32_t marker = byte_at(bytes, at + 1);
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const std::size_t length = big_endian(bytes, at + 2, 2);
    if (marker == kStartOfScan || length < 2 || length > bytes.size() - at - 2) return 1;
    const Span<const std::byte> data = bytes.subspan(at + 4, length - 2);
    // APP1 may also hold XMP.
    if (marker == kApp1 && text_of(data).starts_with(kExifMark)) return orientation_of(data);
    at += 2 + length;
  }
  return 1;
}

int read_png(Span<const std::byte> bytes) {
  constexpr std::size_t kChunkFrame = 12;  // length, type, checksum
  std::size_t at = 8;
  while (at <= bytes.size() && bytes.size() - at >= kChunkFrame) {
    const std::size_t length = big_endian(bytes, at, 4);
    if (length > bytes.size() - at - kChunkFrame) return 1;
    if (text_of(bytes.subspan(at + 4, 4)) == "eXIf") {
      return orientation_of(bytes.subspan(at + 8, length));
    }
    at += kChunkFrame + length;
  }
  return 1;
}

int read_webp(Span<const std::byte> bytes) {
  constexpr std::size_t kChunkFrame = 8;  // type, length
  std::size_t at = 12;
  while (at <= bytes.size() && bytes.size() - at >= kChunkFrame) {
    const std::size_t length = little_endian(bytes, at + 4, 4);
    if (length > bytes.size() - at - kChunkFrame) return 1;
    if (text_of(bytes.subspan(at, 4)) == "EXIF") {
      return orientation_of(bytes.subspan(at + kChunkFrame, length));
    }
    at += kChunkFrame + length + length % 2;
  }
  return 1;
}

}  // namespace

int read_orientation(ImageFormat format, Span<const std::byte> bytes) noexcept {
  switch (format) {
    case ImageFormat::kPng:
      return read_png(bytes);
    case ImageFormat::kJpeg:
      return read_jpeg(bytes);
    case ImageFormat::kWebp:
      return read_webp(bytes);
  }
  return 1;
}

cv::Mat turned_upright(const cv::Mat& stored, int orientation) {
  constexpr int kVertical = 0;
  constexpr int kHorizontal = 1;
  constexpr int kBoth = -1;
  if (orientation <= 1) return stored;
  cv::Mat upright;
  if (orientation <= 4) {
    constexpr int kFlips[] = {kHorizontal, kBoth, kVertical};
    cv::flip(stored, upright, kFlips[orientation - 2]);
    return upright;
  }
  cv::transpose(stored, upright);
  if (orientation > 5) {
    constexpr int kFlips[] = {kHorizontal, kBoth, kVertical};
    cv::flip(upright, upright, kFlips[orientation - 6]);
  }
  return upright;
}

}  // namespace kandinsky::io
