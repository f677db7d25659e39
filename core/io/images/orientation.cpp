#include "io/images/orientation.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/span.h"
#include "io/bytes.h"
#include "io/images/image.h"

namespace kandinsky::io {
namespace {

/// The size in bytes of an EXIF integer type; 0 for other types.
std::size_t size_of_type(std::uint32_t type) {
  constexpr std::uint32_t kShort = 3;
  constexpr std::uint32_t kLong = 4;
  if (type == kShort) return 2;
  return type == kLong ? 4 : 0;
}

/// From EXIF data, a TIFF file: byte order, 42, offset of the first directory. An entry has
/// tag, type, count, value. Empty if there is no such tag.
std::optional<std::uint32_t> exif_orientation(Span<const std::byte> exif) {
  constexpr std::string_view kExifMark("Exif\0\0", 6);
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::size_t kEntryBytes = 12;
  if (text_of(exif).starts_with(kExifMark)) exif = exif.subspan(kExifMark.size());
  const bool little = text_of(exif).starts_with("II");
  if (exif.size() < 8 || (!little && !text_of(exif).starts_with("MM"))) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t count) {
    return little ? little_endian(exif, at, count) : big_endian(exif, at, count);
  };
  const std::size_t directory = number(4, 4);
  if (number(2, 2) != 42 || directory > exif.size() - 2) return std::nullopt;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (at + kEntryBytes > exif.size()) return std::nullopt;
    if (number(at, 2) != kOrientationTag) continue;
    const std::size_t size = size_of_type(number(at + 2, 2));
    return size == 0 ? 0 : number(at + 8, size);
  }
  return std::nullopt;
}

/// The first digit of the value, as an attribute or an element.
std::optional<std::uint32_t> xmp_orientation(Span<const std::byte> xmp) {
  for (std::string_view rest = text_of(xmp);;) {
    constexpr std::string_view kName = "tiff:Orientation";
    const std::size_t at = rest.find(kName);
    if (at == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(at + kName.size());
    std::string_view value = rest;
    if (value.starts_with("=\"")) {
      value.remove_prefix(2);
    } else if (value.starts_with(">")) {
      value.remove_prefix(1);
    } else {
      continue;
    }
    if (!value.empty() && value[0] >= '0' && value[0] <= '9')
      return static_cast<std::uint32_t>(value[0] - '0');
  }
}

/// Transposes.
Image transposed(const Image& image) {
  // Square blocks stay in the processor's cache.
  constexpr int kSquare = 64;
  Image turned{image.height, image.width, image.channels, {}};
  turned.pixels.resize(image.pixels.size());
  const auto channels = static_cast<std::size_t>(image.channels);
  const auto at = [channels](const Image& of, int x, int y) {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(of.width) +
            static_cast<std::size_t>(x)) *
           channels;
  };
  for (int top = 0; top < image.height; top += kSquare) {
    for (int left = 0; left < image.width; left += kSquare) {
      for (int y = top; y < std::min(top + kSquare, image.height); ++y) {
        for (int x = left; x < std::min(left + kSquare, image.width); ++x) {
          std::copy_n(image.pixels.data() + at(image, x, y), channels,
                      turned.pixels.data() + at(turned, y, x));
        }
      }
    }
  }
  return turned;
}

void flip_vertically(Image* image) {
  const auto row = static_cast<std::ptrdiff_t>(image->width) * image->channels;
  for (int y = 0; y < image->height / 2; ++y) {
    const auto upper = image->pixels.begin() + y * row;
    std::swap_ranges(upper, upper + row, image->pixels.end() - (y + 1) * row);
  }
}

void flip_horizontally(Image* image) {
  const auto channels = static_cast<std::size_t>(image->channels);
  const std::size_t row = static_cast<std::size_t>(image->width) * channels;
  for (std::size_t begin = 0; begin < image->pixels.size(); begin += row) {
    std::uint8_t* left = image->pixels.data() + begin;
    for (std::uint8_t* right = left + row - channels; left < right; right -= channels) {
      std::swap_ranges(left, left + channels, right);
      left += channels;
    }
  }
}

}  // namespace

int orientation_of(Span<const std::byte> exif, Span<const std::byte> xmp) noexcept {
  std::optional<std::uint32_t> value = exif_orientation(exif);
  if (!value) value = xmp_orientation(xmp);
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

Image turned_upright(Image stored, int orientation) {
  const auto any_of = [orientation](std::initializer_list<int> values) {
    return std::ranges::find(values, orientation) != values.end();
  };
  if (orientation >= 5) stored = transposed(stored);
  if (any_of({2, 3, 6, 7})) flip_horizontally(&stored);
  if (any_of({3, 4, 7, 8})) flip_vertically(&stored);
  return stored;
}

}  // namespace kandinsky::io
