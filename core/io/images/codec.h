#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"

/// Image files <-> pixels. PNG, JPEG and WebP, told apart by content when reading and by suffix
/// when writing.
namespace kandinsky::io {

enum class ImageFormat : int { kPng, kJpeg, kWebp };

/// What read_image and decode_image should give, whatever the file holds.
enum class ImageChannels : int {
  kAsStored,  ///< Grey, RGB or RGBA as in the file; grey with alpha becomes RGBA.
  kGrey,      ///< ITU-R 601 luma; alpha is dropped.
  kRgb,       ///< Alpha is dropped, not blended.
  kRgba,      ///< Alpha 255 where the file has none.
};

/// The image is turned upright by its EXIF data, else its XMP data. A key colour (PNG's tRNS) is
/// transparent, so that grey with one becomes RGBA; inks (CMYK) become RGB. Samples of 16 bits keep
/// their high byte. Of an animation it is the first image (of an animated PNG the one that other
/// readers see). Source: Pillow's exif_transpose and convert("RGBA"), but for the 16 bits, and for
/// key colours of other than 8 bits, where it is PNG 11.3.2.1.
/// Throws Error: kCorruptFile for bytes that do not decode; kUnsupported for another format, by its
/// name; kInvalidArgument beyond the caps in base/limits.h on bytes, pixels, scans, chunks and
/// time. source is what messages call the bytes.
Image decode_image(Span<const std::byte> bytes, ImageChannels channels, std::string_view source);

/// The same from a file. Also throws as InputFile::open and read.
Image read_image(std::string_view path, ImageChannels channels = ImageChannels::kAsStored);

struct ImageWriteOptions {
  /// Text under the keyword "parameters", UTF-8: what an Automatic1111-style host reads back from a
  /// PNG. Empty: none. JPEG and WebP have no such place: asking for it there is an error.
  std::string_view parameters;
  /// JPEG and WebP, 1 to 100; 100 makes WebP lossless. PNG ignores it.
  int quality = 95;
};

/// The format for a path by its suffix, upper or lower case: .png, .jpg, .jpeg, .webp.
/// Throws Error(kInvalidArgument) for another suffix or none.
ImageFormat image_format_for(std::string_view path);

/// Throws Error(kInvalidArgument) when the image's size, channels and pixels do not agree or
/// exceed what the format holds (JPEG 65,500 and WebP 16,383 pixels a side; JPEG has no alpha),
/// quality is out of range, or parameters are too long, no UTF-8, contain a null character or meet
/// a format without a place for them.
std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const ImageWriteOptions& options = {});

/// encode_image by suffix and write_file_atomically in one; throws as both.
void write_image(std::string_view path, const Image& image, const ImageWriteOptions& options = {});

}  // namespace kandinsky::io
