#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "io/images/image.h"

/// One reader and one writer for each format, over the library of that format; codec.h chooses
/// among them.
///
/// libpng and libjpeg report an error by a long jump, which runs no destructors. So what owns
/// memory belongs to the functions that call `succeeds`, which throw the Error afterwards; the
/// steps inside have plain variables only, and what their callbacks call throws nothing.
namespace kandinsky::io {

using ReadDeadline = std::chrono::steady_clock::time_point;

/// What a file holds.
struct StoredImage {
  Image image;  ///< as stored, not turned upright
  /// What says which way is up; empty where the file has none. See orientation.h.
  std::vector<std::byte> exif;
  std::vector<std::byte> xmp;
};

/// The bytes start as the format's files do. Throw Error: kCorruptFile for those that do not
/// decode; kUnsupported for colours that nothing here knows; kInvalidArgument beyond a cap of
/// base/limits.h and after the deadline; kOutOfMemory. source is what messages call the bytes.
StoredImage read_png(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline);
StoredImage read_jpeg(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline);
/// Of an animation the first frame, on a canvas that is transparent where the frame is not. Without
/// a deadline: libwebp's time grows with the pixels only.
StoredImage read_webp(Span<const std::byte> bytes, std::string_view source);

/// The image has been checked. text, if not empty, becomes the text chunk "parameters", as PIL
/// writes it: tEXt where Latin-1 is enough, else iTXt. Throws Error(kInvalidArgument) for text that
/// is too long, no UTF-8 or contains a null character.
std::vector<std::uint8_t> write_png(const Image& image, std::string_view text);
/// quality: 1 to 100.
std::vector<std::uint8_t> write_jpeg(const Image& image, int quality);
/// quality: 1 to 100; 100 is lossless, also for colours that are transparent.
std::vector<std::uint8_t> write_webp(const Image& image, int quality);

/// The data of a JPEG's APP1 segment, where cameras and Adobe's programs keep theirs.
struct App1 {
  Span<const std::byte> exif;
  Span<const std::byte> xmp;

  /// Takes EXIF that comes first and XMP that comes last, as Pillow does.
  void take(Span<const std::byte> data) noexcept;
};

/// Why a library gave up. Plain, for the callbacks of C libraries.
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
  std::array<char, 200> reason{};  ///< in the library's words

  /// Throws the Error for reading a file. format is such as "PNG"; the size is 0 x 0 if the file
  /// ended or stopped making sense before it.
  [[noreturn]] void throw_reading(std::string_view format, std::int64_t width, std::int64_t height,
                                  std::string_view source) const;
  /// The same for writing one.
  [[noreturn]] void throw_writing(std::string_view format) const;
};

/// Appends without throwing; false when the memory does not suffice.
bool append(const std::uint8_t* data, std::size_t size, std::vector<std::uint8_t>* out) noexcept;

}  // namespace kandinsky::io
