#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <chrono>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "base/utf8.h"
#include "io/images/image.h"
#include "io/images/image_files.h"

namespace kandinsky::io {
namespace {

constexpr char kOutOfMemory[] = "Out of memory";  // libpng's message

/// State of libpng's callbacks.
struct State {
  png_structp png = nullptr;
  png_infop info = nullptr;
  LibraryFailure failure;
};

struct Reader : State {
  Span<const std::byte> rest;
  std::size_t memory = limits::kMaxPngMemoryBytes;  ///< that libpng may still allocate
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer : State {
  std::vector<std::uint8_t> out;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  LibraryFailure& failure = static_cast<State*>(png_get_error_ptr(png))->failure;
  using Kind = LibraryFailure::Kind;
  if (failure.kind == Kind::kDamaged && std::strcmp(message, kOutOfMemory) == 0)
    failure.kind = Kind::kOutOfMemory;
  std::snprintf(failure.reason.data(), failure.reason.size(), "%s", message);
  png_longjmp(png, 1);
}

/// Without it libpng writes to standard error.
void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

/// Freed memory also counts, which does not matter for normal files.
png_voidp on_allocate(png_structp png, png_alloc_size_t size) {
  auto& reader = *static_cast<Reader*>(png_get_mem_ptr(png));
  if (size > reader.memory) {
    reader.failure.kind = LibraryFailure::Kind::kTooMuchBeside;
    return nullptr;
  }
  reader.memory -= size;
  return std::malloc(size);
}

void on_read(png_structp png, png_bytep to, std::size_t size) {
  auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (reader.failure.kind == LibraryFailure::Kind::kTooMuchBeside) png_error(png, "too much");
  if (size > reader.rest.size()) {
    reader.failure.kind = LibraryFailure::Kind::kCutOff;
    png_error(png, "the file ends early");
  }
  std::memcpy(to, reader.rest.data(), size);
  reader.rest = reader.rest.subspan(size);
}

void on_write(png_structp png, png_bytep data, std::size_t size) {
  if (!append(data, size, &static_cast<Writer*>(png_get_io_ptr(png))->out))
    png_error(png, kOutOfMemory);
}

/// Whether libpng finished the steps without an error.
template <typename Steps>
bool succeeds(const State& state, const Steps& steps) {
  if (state.png == nullptr || state.info == nullptr) return false;
  if (setjmp(png_jmpbuf(state.png)) != 0) return false;
  steps();
  return true;
}

/// Reads up to the pixels. Of other chunks, only transparency and possible orientation data are
/// used.
bool read_header(Reader* reader) {
  reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, static_cast<State*>(reader),
                                         on_error, on_warning, reader, on_allocate, nullptr);
  if (reader->png != nullptr) reader->info = png_create_info_struct(reader->png);
  return succeeds(*reader, [png = reader->png, info = reader->info, reader] {
    static constexpr png_byte kRead[] = "eXIf\0iTXt\0tEXt\0zTXt";
    png_set_read_fn(png, reader, on_read);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, kRead, 4);
    png_set_chunk_cache_max(png, limits::kMaxPngChunks);
    png_set_chunk_malloc_max(png, limits::kMaxPngChunkBytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // checked by the caller
    png_set_benign_errors(png, 1);
    png_read_info(png, info);
  });
}

/// ImageMagick's form of binary data in a text: an empty line, the name, the length, then pairs of
/// hexadecimal digits in lines.
std::vector<std::byte> profile_of(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  std::vector<std::byte> profile;
  unsigned value = 1;
  for (const char c : text) {
    static constexpr std::string_view kDigits = "0123456789abcdef0123456789ABCDEF";
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) continue;
    value = value << 4U | (digit & 0xFU);
    if (value < 0x100U) continue;
    profile.push_back(static_cast<std::byte>(value & 0xFFU));
    value = 1;
  }
  return profile;
}

/// Orientation data from other chunks.
void read_tags(const Reader& reader, StoredImage* stored) {
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0) {
    const auto* data = reinterpret_cast<const std::byte*>(exif);
    stored->exif.assign(data, data + size);
  }
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &texts, &count);
  std::vector<std::byte> exif_profile;
  std::vector<std::byte> app1_profile;
  for (const png_text& text : Span<const png_text>(texts, static_cast<std::size_t>(count))) {
    const std::string_view key = text.key;
    const std::string_view value = text.text;
    if (key == "XML:com.adobe.xmp") {
      const auto* data = reinterpret_cast<const std::byte*>(value.data());
      stored->xmp.assign(data, data + value.size());
    }
    if (key == "Raw profile type exif") exif_profile = profile_of(value);
    if (key == "Raw profile type APP1") app1_profile = profile_of(value);
  }
  App1 app1;
  app1.take(app1_profile);
  if (stored->exif.empty()) stored->exif = exif_profile;
  if (stored->exif.empty()) stored->exif.assign(app1.exif.begin(), app1.exif.end());
  if (stored->xmp.empty()) stored->xmp.assign(app1.xmp.begin(), app1.xmp.end());
}

/// The text in Latin-1, if possible.
bool as_latin1(std::string_view text, std::string* latin1) {
  const std::vector<char32_t> characters = decode_utf8(text);
  if (std::ranges::any_of(characters, [](char32_t c) { return c > 0xFF; })) return false;
  for (const char32_t c : characters) latin1->push_back(static_cast<char>(c));
  return true;
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

void check_text(std::string_view text) {
  if (text.size() > limits::kMaxImageTextBytes) {
    refuse(fmt::format("the parameters text has {} bytes, at most {} fit into an image",
                       text.size(), limits::kMaxImageTextBytes));
  }
  if (text.find('\0') != std::string_view::npos)
    refuse("the parameters text contains a null character");
  if (find_invalid_utf8(text) != std::string_view::npos)
    refuse("the parameters text is not valid UTF-8");
}

}  // namespace

StoredImage read_png(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline) {
  Reader reader;
  reader.rest = bytes;
  const bool has_header = read_header(&reader);
  if (reader.info == nullptr) reader.failure.kind = LibraryFailure::Kind::kOutOfMemory;
  const std::int64_t width = png_get_image_width(reader.png, reader.info);
  const std::int64_t height = png_get_image_height(reader.png, reader.info);
  check_image_size(width, height, source);
  if (!has_header) reader.failure.throw_reading("PNG", width, height, source);

  const png_structp png = reader.png;
  const png_infop info = reader.info;
  int passes = 1;
  const auto prepare = [&] {
    // Palettes and low bit depths become 8 bits, colour keys transparent; 16 bits keep the high
    // byte.
    png_set_expand(png);
    png_set_strip_16(png);
    const png_byte colours = png_get_color_type(png, info);
    const bool transparent =
        (colours & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png, info, PNG_INFO_tRNS) != 0;
    if (transparent) png_set_gray_to_rgb(png);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
  };
  if (!succeeds(reader, prepare)) reader.failure.throw_reading("PNG", width, height, source);

  StoredImage stored;
  Image& image = stored.image;
  image = {static_cast<int>(width), static_cast<int>(height), png_get_channels(png, info), {}};
  const std::size_t row = png_get_rowbytes(png, info);
  image.pixels.resize(row * static_cast<std::size_t>(height));
  const auto read_pixels = [&] {
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
        if (std::chrono::steady_clock::now() > deadline) {
          reader.failure.kind = LibraryFailure::Kind::kTooSlow;
          png_error(png, "too slow");
        }
        png_read_row(png, image.pixels.data() + y * row, nullptr);
      }
    }
    png_read_end(png, info);
  };
  const bool complete = succeeds(reader, read_pixels);
  if (!complete || reader.failure.kind == LibraryFailure::Kind::kTooMuchBeside)
    reader.failure.throw_reading("PNG", width, height, source);
  read_tags(reader, &stored);
  return stored;
}

std::vector<std::uint8_t> write_png(const Image& image, std::string_view text) {
  check_text(text);
  std::string value;
  const bool latin1 = as_latin1(text, &value);
  if (!latin1) value = text;
  std::string key = "parameters";
  png_text chunk = {};
  chunk.compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  chunk.key = key.data();
  chunk.text = value.data();
  chunk.text_length = value.size();

  Writer writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<State*>(&writer),
                                       on_error, on_warning);
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  const auto write = [&, png = writer.png, info = writer.info] {
    constexpr int kFastest = 1;
    constexpr int kRunLengths = 3;  // Z_RLE
    png_set_write_fn(png, &writer, on_write, nullptr);
    png_set_compression_level(png, kFastest);
    png_set_compression_strategy(png, kRunLengths);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    const int colours = image.channels == 1   ? PNG_COLOR_TYPE_GRAY
                        : image.channels == 3 ? PNG_COLOR_TYPE_RGB
                                              : PNG_COLOR_TYPE_RGBA;
    png_set_IHDR(png, info, static_cast<png_uint_32>(image.width),
                 static_cast<png_uint_32>(image.height), 8, colours, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!text.empty()) png_set_text(png, info, &chunk, 1);
    png_write_info(png, info);
    const std::size_t row =
        static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.channels);
    for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y)
      png_write_row(png, image.pixels.data() + y * row);
    png_write_end(png, nullptr);
  };
  if (!succeeds(writer, write)) writer.failure.throw_writing("PNG");
  return std::move(writer.out);
}

}  // namespace kandinsky::io
