#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"

/// One reader and one writer for each format, over the library of that format; codec.h chooses
/// among them.
///
/// libpng and libjpeg report errors by longjmp, which runs no destructors. So memory is owned by
/// the functions that call `succeeds`, which throw the Error afterwards; the
/// steps inside have only plain variables, and their callbacks do not throw.
namespace kandinsky::io {

using ReadDeadline = std::chrono::steady_clock::time_point;

/// The contents of a file.
struct StoredImage {
  Image image;  ///< as stored, not rotated
  /// Orientation data; empty if the file has none. See orientation.h.
  std::vector<std::byte> exif;
  std::vector<std::byte> xmp;
};

/// The bytes start with the format's signature. Throw Error: kCorruptFile for bytes that cannot be
/// decoded; kUnsupported for unsupported colours; kInvalidArgument beyond a limit of
/// base/limits.h and after the deadline; kOutOfMemory. source: the name in messages.
StoredImage read_png(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline);
StoredImage read_jpeg(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline);
/// For an animation the first frame, on a transparent canvas. Without a deadline: libwebp's time
/// grows only with the pixels.
StoredImage read_webp(Span<const std::byte> bytes, std::string_view source);

/// The image has been checked. text, if not empty, becomes the text chunk "parameters", as PIL
/// writes it: tEXt if Latin-1 is enough, else iTXt. Throws Error(kInvalidArgument) for text that
/// is too long, not UTF-8 or contains a null character.
std::vector<std::uint8_t> write_png(const Image& image, std::string_view text);
/// quality: 1 to 100.
std::vector<std::uint8_t> write_jpeg(const Image& image, int quality);
/// quality: 1 to 100; 100 is lossless, including transparent colours.
std::vector<std::uint8_t> write_webp(const Image& image, int quality);

/// The data of a JPEG's APP1 segments, used by cameras and Adobe's programs.
struct App1 {
  Span<const std::byte> exif;
  Span<const std::byte> xmp;

  /// Uses the first EXIF and the last XMP segment, as Pillow does.
  void take(Span<const std::byte> data) noexcept;
};

/// A library's error. A plain struct, for callbacks of C libraries.
struct LibraryFailure {
  enum class Kind : int {
    kDamaged,
    kCutOff,
    kTooSlow,
    kTooManyScans,
    kTooMuchBeside,
    kOutOfMemory
  };
  Kind kind = Kind::kDamaged;
  std::array<char, 200> reason{};  ///< the library's message

  /// Throws the Error for reading a file. format: such as "PNG"; the size is 0 x 0 if the file
  /// is truncated or corrupt before it.
  [[noreturn]] void throw_reading(std::string_view format, std::int64_t width, std::int64_t height,
                                  std::string_view source) const;
  /// The same for writing one.
  [[noreturn]] void throw_writing(std::string_view format) const;
};

/// Appends without throwing; false when out of memory.
bool append(const std::uint8_t* data, std::size_t size, std::vector<std::uint8_t>* out) noexcept;

}  // namespace kandinsky::io
