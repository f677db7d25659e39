#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"

/// Image files <-> pixels. PNG, JPEG and WebP, recognised by content when reading and by suffix
/// when writing.
namespace kandinsky::io {

enum class ImageFormat : int { kPng, kJpeg, kWebp };

/// The channels that read_image and decode_image return.
enum class ImageChannels : int {
  kAsStored,  ///< Grey, RGB or RGBA as in the file; grey with alpha becomes RGBA.
  kGrey,      ///< ITU-R 601 luma; alpha is dropped.
  kRgb,       ///< Alpha is dropped, not blended.
  kRgba,      ///< Alpha 255 if the file has none.
};

/// The image is rotated by its EXIF data, else its XMP data. A colour key (PNG's tRNS) is
/// transparent, so that grey with one becomes RGBA; CMYK becomes RGB. Samples of 16 bits keep
/// their high byte. For an animation, the first frame (for an animated PNG the default image).
/// Source: Pillow's exif_transpose and convert("RGBA"), except for 16 bits and for colour keys of
/// other than 8 bits, which follow PNG 11.3.2.1. Throws Error: kCorruptFile for bytes that cannot
/// be decoded; kUnsupported for another format, with its name; kInvalidArgument beyond the limits
/// in base/limits.h on bytes, pixels, scans, chunks and time. source: the name in messages.
Image decode_image(Span<const std::byte> bytes, ImageChannels channels, std::string_view source);

/// The same from a file. Also throws as InputFile::open and read.
Image read_image(std::string_view path, ImageChannels channels = ImageChannels::kAsStored);

struct ImageWriteOptions {
  /// Text with the keyword "parameters", UTF-8, which Automatic1111-style hosts read back from a
  /// PNG. Empty: none. It is an error for JPEG and WebP, which cannot hold it.
  std::string_view parameters;
  /// JPEG and WebP, 1 to 100; 100 makes WebP lossless. PNG ignores it.
  int quality = 95;
};

/// The format for a path by its suffix, upper or lower case: .png, .jpg, .jpeg, .webp.
/// Throws Error(kInvalidArgument) for another suffix or none.
ImageFormat image_format_for(std::string_view path);

/// Throws Error(kInvalidArgument) when the image's size, channels and pixels do not match or
/// exceed the format's limits (JPEG 65,500 and WebP 16,383 pixels a side; JPEG has no alpha),
/// quality is out of range, or parameters are too long, not UTF-8, contain a null character or are
/// not supported by the format.
std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const ImageWriteOptions& options = {});

/// encode_image by suffix, then write_file_atomically; throws as both.
void write_image(std::string_view path, const Image& image, const ImageWriteOptions& options = {});

}  // namespace kandinsky::io
