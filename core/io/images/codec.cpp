#include "io/images/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/atomic_file.h"
#include "io/bytes.h"
#include "io/file_kind.h"
#include "io/images/image.h"
#include "io/images/image_files.h"
#include "io/images/orientation.h"
#include "io/input_file.h"

namespace kandinsky::io {
namespace {

constexpr int kMaxJpegSide = 65'500;  // libjpeg's JPEG_MAX_DIMENSION
constexpr int kMaxWebpSide = 16'383;

std::string_view format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kWebp:
      return "WebP";
  }
  return "?";
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

struct ForeignKind {
  std::size_t at;  ///< kText: at the start, after spaces, in any case
  std::string_view mark;
  std::string_view what;
};

constexpr std::size_t kText = std::string_view::npos;

/// Unsupported formats by their first bytes; one row each.
constexpr ForeignKind kForeignKinds[] = {
    {12, "CgBI", "in Apple's CgBI variant of PNG, which is for iOS programs only"},
    {0, "\x89PNG", "a PNG file that was changed on its way, perhaps sent as text"},
    {0, "GIF8", "in GIF format"},
    {0, "BM", "in BMP format"},
    {0, {"II*\0", 4}, "in TIFF format"},
    {0, {"MM\0*", 4}, "in TIFF format"},
    {0, {"II+\0", 4}, "in BigTIFF format"},
    {0, {"MM\0+", 4}, "in BigTIFF format"},
    {4, "ftypavi", "in AVIF format"},  // avif, avis
    {4, "ftyphei", "in HEIC format"},  // heic, heix, heim, heis
    {4, "ftyphev", "in HEIC format"},  // hevc, hevx, hevm, hevs
    {4, "ftypmif1", "in HEIF format"},
    {4, "ftypmsf1", "in HEIF format"},
    {4, "ftyp", "a video or another file of the MP4 family"},
    {0, "\xFF\x0A", "in JPEG XL format"},
    {4, "JXL \r\n\x87\n", "in JPEG XL format"},
    {4, "jP  \r\n\x87\n", "in JPEG 2000 format"},
    {0, "\xFF\x4F\xFF\x51", "in JPEG 2000 format"},
    {0, "8BPS", "in Photoshop's PSD format"},
    {0, {"\0\0\1\0", 4}, "in ICO format"},
    {0, "qoif", "in QOI format"},
    {0, "v/1\1", "in OpenEXR format"},
    {0, "%PDF", "a PDF document"},
    {8, "{\"", "a safetensors file"},
    {kText, "<svg", "in SVG format"},
    {kText, "<?xml", "an XML document, perhaps SVG"},
};

/// The kind of a file that is not PNG, JPEG or WebP; empty if unknown.
std::string_view foreign_kind(std::string_view file) {
  constexpr std::size_t kMostOfText = 256;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view start = file.substr(0, kMostOfText);
  if (start.starts_with(kByteOrderMark)) start.remove_prefix(kByteOrderMark.size());
  start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  const std::string text = lower(std::string(start));
  for (const ForeignKind& kind : kForeignKinds) {
    const std::string_view where =
        kind.at == kText ? std::string_view(text) : file.substr(std::min(kind.at, file.size()));
    if (where.starts_with(kind.mark)) return kind.what;
  }
  return kind_of_intruder(file.substr(0, kMostOfText));
}

ImageFormat format_of(std::string_view file, std::string_view source) {
  if (file.empty())
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: the image file is empty", source));
  if (file.starts_with("\x89PNG\r\n\x1a\n") && !file.substr(0, 16).ends_with("CgBI"))
    return ImageFormat::kPng;
  if (file.starts_with("\xFF\xD8\xFF")) return ImageFormat::kJpeg;
  if (file.starts_with("RIFF") && file.size() >= 12 && file.substr(8).starts_with("WEBP"))
    return ImageFormat::kWebp;
  const std::string_view kind = foreign_kind(file);
  throw Error(ErrorCode::kUnsupported,
              kind.empty()
                  ? fmt::format("{}: is not a PNG, JPEG or WebP image", source)
                  : fmt::format("{}: is {}; only PNG, JPEG and WebP are supported", source, kind));
}

/// ITU-R 601 luma, rounded to nearest.
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((299U * rgb[0] + 587U * rgb[1] + 114U * rgb[2] + 500U) / 1000U);
}

Image converted(Image image, ImageChannels wanted) {
  int channels = image.channels;
  if (wanted == ImageChannels::kGrey) channels = 1;
  if (wanted == ImageChannels::kRgb) channels = 3;
  if (wanted == ImageChannels::kRgba) channels = 4;
  if (channels == image.channels) return image;
  Image result{image.width, image.height, channels, {}};
  const auto stored = static_cast<std::size_t>(image.channels);
  const auto count = static_cast<std::size_t>(channels);
  result.pixels.resize(image.pixels.size() / stored * count);
  const std::uint8_t* from = image.pixels.data();
  const std::uint8_t* const end = from + image.pixels.size();
  for (std::uint8_t* to = result.pixels.data(); from != end; from += stored, to += count) {
    if (count == 1) {
      to[0] = luma(from);
      continue;
    }
    for (std::size_t c = 0; c < 3; ++c) to[c] = stored == 1 ? from[0] : from[c];
    if (count == 4) to[3] = 255;
  }
  return result;
}

void check_writable(const Image& image, ImageFormat format) {
  check_image(image, "the image to write");
  int max_side = static_cast<int>(limits::kMaxImageSide);
  if (format == ImageFormat::kJpeg) max_side = kMaxJpegSide;
  if (format == ImageFormat::kWebp) max_side = kMaxWebpSide;
  if (image.width > max_side || image.height > max_side) {
    refuse(fmt::format("an image of {} x {} pixels is too large for {}: at most {} a side",
                       image.width, image.height, format_name(format), max_side));
  }
  if (format == ImageFormat::kJpeg && image.channels == 4) {
    refuse("JPEG cannot hold an alpha channel");
  }
}

void check_file_size(std::uint64_t size, std::string_view source) {
  if (size <= limits::kMaxImageFileBytes) return;
  refuse(fmt::format("{}: {} bytes are too many for an image file, at most {}", source, size,
                     limits::kMaxImageFileBytes));
}

}  // namespace

Image decode_image(Span<const std::byte> bytes, ImageChannels channels, std::string_view source) {
  check_file_size(bytes.size(), source);
  const ReadDeadline deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(limits::kMaxImageSeconds);
  StoredImage stored;
  switch (format_of(text_of(bytes), source)) {
    case ImageFormat::kPng:
      stored = read_png(bytes, source, deadline);
      break;
    case ImageFormat::kJpeg:
      stored = read_jpeg(bytes, source, deadline);
      break;
    case ImageFormat::kWebp:
      stored = read_webp(bytes, source);
      break;
  }
  const int orientation = orientation_of(stored.exif, stored.xmp);
  return converted(turned_upright(std::move(stored.image), orientation), channels);
}

Image read_image(std::string_view path, ImageChannels channels) {
  const InputFile file = InputFile::open(path);
  check_file_size(file.size(), path);
  return decode_image(file.read_all(limits::kMaxImageFileBytes), channels, path);
}

ImageFormat image_format_for(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  std::string suffix;
  if (dot != std::string_view::npos && path.find('/', dot) == std::string_view::npos) {
    suffix = lower(std::string(path.substr(dot)));
  }
  if (suffix == ".png") return ImageFormat::kPng;
  if (suffix == ".jpg" || suffix == ".jpeg") return ImageFormat::kJpeg;
  if (suffix == ".webp") return ImageFormat::kWebp;
  refuse(fmt::format("{}: the name of an image must end in .png, .jpg, .jpeg or .webp", path));
}

std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const ImageWriteOptions& options) {
  check_writable(image, format);
  if (options.quality < 1 || options.quality > 100) {
    refuse(fmt::format("quality is {}, expected 1 to 100", options.quality));
  }
  if (format != ImageFormat::kPng && !options.parameters.empty()) {
    refuse(fmt::format("{} cannot hold parameters text, only PNG can", format_name(format)));
  }
  switch (format) {
    case ImageFormat::kPng:
      return write_png(image, options.parameters);
    case ImageFormat::kJpeg:
      return write_jpeg(image, options.quality);
    case ImageFormat::kWebp:
      return write_webp(image, options.quality);
  }
  throw Error(ErrorCode::kInternal, "an image format without a writer");
}

void write_image(std::string_view path, const Image& image, const ImageWriteOptions& options) {
  const std::vector<std::uint8_t> encoded = encode_image(image, image_format_for(path), options);
  const Span<const std::byte> piece = std::as_bytes(Span<const std::uint8_t>(encoded));
  write_file_atomically(path, {&piece, 1});
}

}  // namespace kandinsky::io
