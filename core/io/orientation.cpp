#include "io/orientation.h"

#include <opencv2/core.hpp>
#include <string_view>

#include "io/bytes.h"
#include "io/file_parts.h"

namespace kandinsky::io {
namespace {

constexpr std::string_view kExifMark("Exif\0\0", 6);

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

}  // namespace

int read_orientation(ImageFormat format, Span<const std::byte> bytes) noexcept {
  int orientation = 1;
  const auto look_for = [&](std::string_view type, std::string_view start) {
    return [&orientation, type, start](const FilePart& part) {
      const bool found = part.type == type && text_of(part.data).starts_with(start);
      if (found) orientation = orientation_of(part.data);
      return !found;
    };
  };
  switch (format) {
    case ImageFormat::kPng:
      each_png_chunk(bytes, look_for("eXIf", ""));
      break;
    case ImageFormat::kJpeg:
      each_jpeg_segment(bytes, look_for("\xE1", kExifMark));  // APP1 may also hold XMP
      break;
    case ImageFormat::kWebp:
      if (bytes.size() > kWebpFileHeaderBytes)
        each_webp_chunk(bytes.subspan(kWebpFileHeaderBytes), look_for("EXIF", ""));
      break;
  }
  return orientation;
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
