#include "io/codec.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <exception>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "io/atomic_file.h"
#include "io/image_header.h"
#include "io/mapped_file.h"

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

/// The format, after everything that can be judged without decoding.
ImageFormat check_header(Span<const std::byte> bytes, std::string_view source) {
  const std::optional<ImageHeader> header = read_image_header(bytes);
  if (!header) {
    if (bytes.empty()) {
      throw Error(ErrorCode::kCorruptFile, fmt::format("{}: the picture file is empty", source));
    }
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: is no PNG, JPEG or WebP picture", source));
  }
  if (header->width <= 0 || header->height <= 0) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: the {} picture has no readable size; perhaps an incomplete file",
                            source, format_name(header->format)));
  }
  if (header->width > limits::kMaxImageSide || header->height > limits::kMaxImageSide ||
      header->width * header->height > limits::kMaxImagePixels) {
    refuse(fmt::format("{}: {} x {} pixels are too many, at most {} a side and {} in all", source,
                       header->width, header->height, limits::kMaxImageSide,
                       limits::kMaxImagePixels));
  }
  // The decoders would give what there is, and for a JPEG whatever was in the memory before.
  if (!header->complete) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: the {} picture is cut off; perhaps an incomplete file", source,
                            format_name(header->format)));
  }
  return header->format;
}

/// OpenCV's picture (BGR order, 8 or 16 bits) in 8 bits; the low byte of 16 is dropped, as PNG
/// readers do.
cv::Mat to_8_bits(const cv::Mat& decoded) {
  if (decoded.depth() == CV_8U) return decoded;
  cv::Mat result(decoded.rows, decoded.cols, CV_MAKETYPE(CV_8U, decoded.channels()));
  const int row_length = decoded.cols * decoded.channels();
  for (int y = 0; y < decoded.rows; ++y) {
    const auto* from = decoded.ptr<std::uint16_t>(y);
    auto* to = result.ptr<std::uint8_t>(y);
    for (int x = 0; x < row_length; ++x) to[x] = static_cast<std::uint8_t>(from[x] >> 8U);
  }
  return result;
}

/// The OpenCV colour conversion from n stored channels (BGR order) to what is wanted; nothing for
/// none.
std::optional<int> conversion(int stored, ImageChannels wanted) {
  switch (wanted) {
    case ImageChannels::kAsStored:
      if (stored == 1) return std::nullopt;
      return stored == 3 ? cv::COLOR_BGR2RGB : cv::COLOR_BGRA2RGBA;
    case ImageChannels::kGrey:
      if (stored == 1) return std::nullopt;
      return stored == 3 ? cv::COLOR_BGR2GRAY : cv::COLOR_BGRA2GRAY;
    case ImageChannels::kRgb:
      if (stored == 1) return cv::COLOR_GRAY2RGB;
      return stored == 3 ? cv::COLOR_BGR2RGB : cv::COLOR_BGRA2RGB;
    case ImageChannels::kRgba:
      if (stored == 1) return cv::COLOR_GRAY2RGBA;
      return stored == 3 ? cv::COLOR_BGR2RGBA : cv::COLOR_BGRA2RGBA;
  }
  return std::nullopt;
}

void check_image(const Image& image, ImageFormat format) {
  if (image.width <= 0 || image.height <= 0 ||
      (image.channels != 1 && image.channels != 3 && image.channels != 4)) {
    refuse(fmt::format("a picture of {} x {} pixels with {} channels cannot be written",
                       image.width, image.height, image.channels));
  }
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  if (image.pixels.size() != static_cast<std::size_t>(pixels * image.channels)) {
    refuse(fmt::format("a picture of {} x {} pixels with {} channels has {} values, expected {}",
                       image.width, image.height, image.channels, image.pixels.size(),
                       pixels * image.channels));
  }
  std::int64_t max_side = limits::kMaxImageSide;
  if (format == ImageFormat::kJpeg) max_side = kMaxJpegSide;
  if (format == ImageFormat::kWebp) max_side = kMaxWebpSide;
  if (image.width > max_side || image.height > max_side || pixels > limits::kMaxImagePixels) {
    refuse(fmt::format(
        "a picture of {} x {} pixels is too large for {}: at most {} a side and {} "
        "in all",
        image.width, image.height, format_name(format), max_side, limits::kMaxImagePixels));
  }
  if (format == ImageFormat::kJpeg && image.channels == 4) {
    refuse("JPEG cannot hold an alpha channel");
  }
}

void append_big_endian(std::uint32_t value, std::vector<std::uint8_t>* out) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out->push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

/// A whole PNG text chunk: tEXt where Latin-1 is enough, else iTXt, both uncompressed, as PIL
/// writes them.
std::vector<std::uint8_t> parameters_chunk(std::string_view text) {
  if (text.size() > limits::kMaxImageTextBytes) {
    refuse(fmt::format("the parameters text has {} bytes, at most {} fit into a picture",
                       text.size(), limits::kMaxImageTextBytes));
  }
  if (text.find('\0') != std::string_view::npos) {
    refuse("the parameters text contains a null character");
  }
  if (find_invalid_utf8(text) != std::string_view::npos) {
    refuse("the parameters text is not valid UTF-8");
  }
  const std::vector<char32_t> characters = decode_utf8(text);
  const bool latin1 = std::ranges::all_of(characters, [](char32_t c) { return c <= 0xFF; });

  constexpr std::string_view kKeyword("parameters\0", 11);
  // iTXt: not compressed, method 0, no language, no translated keyword.
  constexpr std::string_view kITxtFields("\0\0\0\0", 4);
  std::string body(latin1 ? "tEXt" : "iTXt");
  body += kKeyword;
  if (!latin1) body += kITxtFields;
  if (latin1) {
    for (const char32_t c : characters) body.push_back(static_cast<char>(c));
  } else {
    body += text;
  }

  constexpr std::size_t kTypeBytes = 4;
  std::vector<std::uint8_t> chunk;
  chunk.reserve(body.size() + 8);
  append_big_endian(static_cast<std::uint32_t>(body.size() - kTypeBytes), &chunk);
  chunk.insert(chunk.end(), body.begin(), body.end());
  const uLong crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  append_big_endian(static_cast<std::uint32_t>(crc), &chunk);
  return chunk;
}

/// Right after IHDR, where every reader finds it without going through the pixels.
void insert_parameters(std::string_view text, std::vector<std::uint8_t>* png) {
  constexpr std::ptrdiff_t kAfterHeader = 8 + 4 + 4 + 13 + 4;
  const std::vector<std::uint8_t> chunk = parameters_chunk(text);
  if (png->size() <= static_cast<std::size_t>(kAfterHeader)) {
    throw Error(ErrorCode::kInternal, "the PNG encoder made a file without a header");
  }
  png->insert(png->begin() + kAfterHeader, chunk.begin(), chunk.end());
}

}  // namespace

Image decode_image(Span<const std::byte> bytes, ImageChannels channels, std::string_view source) {
  if (bytes.size() > limits::kMaxImageFileBytes) {
    refuse(fmt::format("{}: {} bytes are too many for a picture file, at most {}", source,
                       bytes.size(), limits::kMaxImageFileBytes));
  }
  const ImageFormat format = check_header(bytes, source);
  std::vector<std::byte> ended;
  if (format == ImageFormat::kJpeg) {
    // Compressed data that stop too early then meet an end mark of ours, whatever trails them in
    // the file.
    ended.assign(bytes.begin(), bytes.end());
    ended.insert(ended.end(), {std::byte{0xFF}, std::byte{0xD9}});
    bytes = ended;
  }
  try {
    // imdecode takes a matrix of bytes and does not write to it.
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                          const_cast<std::byte*>(bytes.data()));
    const cv::Mat decoded = cv::imdecode(encoded, cv::IMREAD_UNCHANGED);
    const int stored = decoded.channels();
    if (decoded.empty() || (decoded.depth() != CV_8U && decoded.depth() != CV_16U) ||
        (stored != 1 && stored != 3 && stored != 4)) {
      throw Error(
          ErrorCode::kCorruptFile,
          fmt::format("{}: the picture cannot be decoded; perhaps an incomplete file", source));
    }
    const cv::Mat shallow = to_8_bits(decoded);
    const std::optional<int> code = conversion(stored, channels);
    cv::Mat pixels;
    if (code) {
      cv::cvtColor(shallow, pixels, *code);
    } else {
      pixels = shallow;
    }
    Image image;
    image.width = pixels.cols;
    image.height = pixels.rows;
    image.channels = pixels.channels();
    const std::size_t row = static_cast<std::size_t>(pixels.cols) * pixels.elemSize();
    image.pixels.resize(row * static_cast<std::size_t>(pixels.rows));
    for (int y = 0; y < pixels.rows; ++y) {
      std::copy_n(pixels.ptr<std::uint8_t>(y), row,
                  image.pixels.begin() + static_cast<std::ptrdiff_t>(row) * y);
    }
    return image;
  } catch (const cv::Exception& error) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: the picture cannot be decoded: {}", source, error.err));
  }
}

Image read_image(std::string_view path, ImageChannels channels) {
  return decode_image(MappedFile::open(path).bytes(), channels, path);
}

ImageFormat image_format_for(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  std::string suffix;
  if (dot != std::string_view::npos && path.find('/', dot) == std::string_view::npos) {
    suffix = std::string(path.substr(dot));
  }
  std::ranges::transform(suffix, suffix.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (suffix == ".png") return ImageFormat::kPng;
  if (suffix == ".jpg" || suffix == ".jpeg") return ImageFormat::kJpeg;
  if (suffix == ".webp") return ImageFormat::kWebp;
  refuse(fmt::format("{}: the name of a picture must end in .png, .jpg, .jpeg or .webp", path));
}

std::vector<std::uint8_t> encode_image(const Image& image, ImageFormat format,
                                       const ImageWriteOptions& options) {
  check_image(image, format);
  if (options.quality < 1 || options.quality > 100) {
    refuse(fmt::format("quality is {}, expected 1 to 100", options.quality));
  }
  if (format != ImageFormat::kPng && !options.parameters.empty()) {
    refuse(fmt::format("{} has no place for a parameters text, PNG has", format_name(format)));
  }
  std::vector<std::uint8_t> encoded;
  try {
    const cv::Mat rgb(image.height, image.width, CV_MAKETYPE(CV_8U, image.channels),
                      const_cast<std::uint8_t*>(image.pixels.data()));
    // Into memory of its own: an assignment would share the caller's pixels and convert those.
    cv::Mat converted;
    if (image.channels == 3) cv::cvtColor(rgb, converted, cv::COLOR_RGB2BGR);
    if (image.channels == 4) cv::cvtColor(rgb, converted, cv::COLOR_RGBA2BGRA);
    const cv::Mat& bgr = image.channels == 1 ? rgb : converted;
    std::vector<int> settings;
    std::string suffix = ".png";
    if (format == ImageFormat::kJpeg) {
      suffix = ".jpg";
      settings = {cv::IMWRITE_JPEG_QUALITY, options.quality};
    } else if (format == ImageFormat::kWebp) {
      suffix = ".webp";
      // Above 100 is OpenCV's way to say lossless.
      settings = {cv::IMWRITE_WEBP_QUALITY, options.quality == 100 ? 101 : options.quality};
    }
    if (!cv::imencode(suffix, bgr, encoded, settings)) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("the picture library cannot write {}", format_name(format)));
    }
  } catch (const cv::Exception& error) {
    throw Error(ErrorCode::kUnsupported, fmt::format("the picture cannot be written as {}: {}",
                                                     format_name(format), error.err));
  }
  if (!options.parameters.empty()) insert_parameters(options.parameters, &encoded);
  return encoded;
}

void write_image(std::string_view path, const Image& image, const ImageWriteOptions& options) {
  const std::vector<std::uint8_t> encoded = encode_image(image, image_format_for(path), options);
  const Span<const std::byte> piece = std::as_bytes(Span<const std::uint8_t>(encoded));
  write_file_atomically(path, {&piece, 1});
}

}  // namespace kandinsky::io
