#include "io/images/image_files.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/bytes.h"

namespace kandinsky::io {

void App1::take(Span<const std::byte> data) noexcept {
  constexpr std::string_view kExif("Exif\0", 5);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  if (exif.empty() && text_of(data).starts_with(kExif)) exif = data;
  if (text_of(data).starts_with(kXmp)) xmp = data.subspan(kXmp.size());
}

void LibraryFailure::throw_reading(std::string_view format, std::int64_t width, std::int64_t height,
                                   std::string_view source) const {
  if (kind == Kind::kOutOfMemory) {
    throw Error(
        ErrorCode::kOutOfMemory,
        fmt::format("{}: the memory does not suffice to read the {} image", source, format));
  }
  if (kind == Kind::kTooSlow) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: the {} image of {} x {} pixels takes longer to read than {} s; "
                            "please save it anew, or smaller",
                            source, format, width, height, limits::kMaxImageSeconds));
  }
  if (kind == Kind::kTooManyScans) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: the {} image has more than {} scans; please save it anew", source,
                            format, limits::kMaxJpegScans));
  }
  if (kind == Kind::kTooMuchBeside) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: the texts of the {} image need more than {} bytes of memory; please "
                    "save it without them",
                    source, format, limits::kMaxPngMemoryBytes));
  }
  std::string_view what = kind == Kind::kCutOff ? "is cut off; perhaps an incomplete file"
                                                : "cannot be decoded; perhaps a damaged file";
  if (width <= 0 || height <= 0) what = "has no readable size; perhaps an incomplete file";
  const std::string_view words = reason.data();
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: the {} image {}{}{}{}", source, format, what,
                          words.empty() ? "" : " (", words, words.empty() ? "" : ")"));
}

void LibraryFailure::throw_writing(std::string_view format) const {
  if (kind == Kind::kOutOfMemory) {
    throw Error(ErrorCode::kOutOfMemory,
                fmt::format("the memory does not suffice to write a {} image", format));
  }
  throw Error(ErrorCode::kInternal,
              fmt::format("the image cannot be written as {}: {}", format, reason.data()));
}

bool append(const std::uint8_t* data, std::size_t size, std::vector<std::uint8_t>* out) noexcept {
  try {
    out->insert(out->end(), data, data + size);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace kandinsky::io
