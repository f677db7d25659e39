#include "io/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/limits.h"
#include "io/atomic_file.h"
#include "io/image_header.h"
#include "io/mapped_file.h"
#include "io/mat.h"
#include "io/orientation.h"
#include "io/png_text.h"
#include "io/webp_frame.h"

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

/// The name of a picture format that is not read, by the first bytes; empty for anything else.
std::string_view foreign_format(Span<const std::byte> bytes) {
  struct Signature {
    std::size_t at;
    std::string_view mark;
    std::string_view format;
  };
  static constexpr Signature kSignatures[] = {
      {0, "GIF8", "GIF"},
      {0, "BM", "BMP"},
      {0, std::string_view("II*\0", 4), "TIFF"},
      {0, std::string_view("MM\0*", 4), "TIFF"},
      {4, "ftypavif", "AVIF"},
      {4, "ftyphei", "HEIF"},
      {0, "\xFF\x0A", "JPEG XL"},
  };
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.at && text.substr(signature.at).starts_with(signature.mark))
      return signature.format;
  }
  return "";
}

/// The header, after everything that can be judged without decoding.
ImageHeader check_header(Span<const std::byte> bytes, std::string_view source) {
  const std::optional<ImageHeader> header = read_image_header(bytes);
  if (!header) {
    if (bytes.empty()) {
      throw Error(ErrorCode::kCorruptFile, fmt::format("{}: the picture file is empty", source));
    }
    const std::string_view format = foreign_format(bytes);
    throw Error(
        ErrorCode::kUnsupported,
        format.empty()
            ? fmt::format("{}: is no PNG, JPEG or WebP picture", source)
            : fmt::format("{}: is in {} format; only PNG, JPEG and WebP are read", source, format));
  }
  if (header->width <= 0 || header->height <= 0) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: the {} picture has no readable size; perhaps an incomplete file",
                            source, format_name(header->format)));
  }
  check_image_size(header->width, header->height, source);
  // The decoders would give what there is, and for a JPEG whatever was in the memory before.
  if (!header->complete) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: the {} picture is cut off; perhaps an incomplete file", source,
                            format_name(header->format)));
  }
  return *header;
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

[[noreturn]] void refuse_to_decode(std::string_view source) {
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: the picture cannot be decoded; perhaps an incomplete file", source));
}

/// The stored pixels in 8 bits, 1, 3 or 4 channels, BGR order, not turned.
cv::Mat decode_still(Span<const std::byte> bytes, const ImageHeader& header,
                     std::string_view source) {
  std::vector<std::byte> ended;
  if (header.format == ImageFormat::kJpeg) {
    // Compressed data that stop too early then meet an end mark of ours, whatever trails them in
    // the file.
    ended.assign(bytes.begin(), bytes.end());
    ended.insert(ended.end(), {std::byte{0xFF}, std::byte{0xD9}});
    bytes = ended;
  }
  // imdecode takes a matrix of bytes and does not write to it.
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                        const_cast<std::byte*>(bytes.data()));
  const cv::Mat decoded = cv::imdecode(encoded, cv::IMREAD_UNCHANGED);
  const int stored = decoded.channels();
  if (decoded.empty() || (decoded.depth() != CV_8U && decoded.depth() != CV_16U) ||
      (stored != 1 && stored != 3 && stored != 4)) {
    refuse_to_decode(source);
  }
  return to_8_bits(decoded);
}

/// Of an animation the first frame on its canvas, which is transparent where the frame is not.
cv::Mat decode_webp(Span<const std::byte> bytes, const ImageHeader& canvas,
                    std::string_view source) {
  const std::optional<WebpFrame> frame = first_webp_frame(bytes);
  if (!frame) return decode_still(bytes, canvas, source);
  if (frame->file.empty()) refuse_to_decode(source);
  const ImageHeader header = check_header(frame->file, source);
  if (frame->x + header.width > canvas.width || frame->y + header.height > canvas.height)
    refuse_to_decode(source);
  const cv::Mat picture = decode_still(frame->file, header, source);
  if (picture.cols == canvas.width && picture.rows == canvas.height) return picture;
  cv::Mat whole(static_cast<int>(canvas.height), static_cast<int>(canvas.width), CV_8UC4,
                cv::Scalar::all(0));
  const cv::Mat place = whole(cv::Rect(frame->x, frame->y, picture.cols, picture.rows));
  if (picture.channels() == 4) {
    picture.copyTo(place);
  } else {
    cv::cvtColor(picture, place, cv::COLOR_BGR2BGRA);
  }
  return whole;
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

void check_writable(const Image& image, ImageFormat format) {
  check_image(image, "the picture to write");
  int max_side = static_cast<int>(limits::kMaxImageSide);
  if (format == ImageFormat::kJpeg) max_side = kMaxJpegSide;
  if (format == ImageFormat::kWebp) max_side = kMaxWebpSide;
  if (image.width > max_side || image.height > max_side) {
    refuse(fmt::format("a picture of {} x {} pixels is too large for {}: at most {} a side",
                       image.width, image.height, format_name(format), max_side));
  }
  if (format == ImageFormat::kJpeg && image.channels == 4) {
    refuse("JPEG cannot hold an alpha channel");
  }
}

}  // namespace

Image decode_image(Span<const std::byte> bytes, ImageChannels channels, std::string_view source) {
  if (bytes.size() > limits::kMaxImageFileBytes) {
    refuse(fmt::format("{}: {} bytes are too many for a picture file, at most {}", source,
                       bytes.size(), limits::kMaxImageFileBytes));
  }
  const ImageHeader header = check_header(bytes, source);
  try {
    cv::Mat pixels = header.format == ImageFormat::kWebp ? decode_webp(bytes, header, source)
                                                         : decode_still(bytes, header, source);
    pixels = turned_upright(pixels, read_orientation(header.format, bytes));
    if (const std::optional<int> code = conversion(pixels.channels(), channels)) {
      cv::Mat converted;
      cv::cvtColor(pixels, converted, *code);
      pixels = converted;
    }
    return image_from(pixels);
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw_opencv_error(error, source);
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
  check_writable(image, format);
  if (options.quality < 1 || options.quality > 100) {
    refuse(fmt::format("quality is {}, expected 1 to 100", options.quality));
  }
  if (format != ImageFormat::kPng && !options.parameters.empty()) {
    refuse(fmt::format("{} has no place for a parameters text, PNG has", format_name(format)));
  }
  std::vector<std::uint8_t> encoded;
  try {
    const cv::Mat rgb = mat_over(image);
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
  if (!options.parameters.empty()) insert_png_parameters(options.parameters, &encoded);
  return encoded;
}

void write_image(std::string_view path, const Image& image, const ImageWriteOptions& options) {
  const std::vector<std::uint8_t> encoded = encode_image(image, image_format_for(path), options);
  const Span<const std::byte> piece = std::as_bytes(Span<const std::uint8_t>(encoded));
  write_file_atomically(path, {&piece, 1});
}

}  // namespace kandinsky::io
