#include <fmt/format.h>

#include <array>
#include <chrono>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs it first
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/images/image.h"
#include "io/images/image_files.h"

// After the header that declares FILE.
#include <jerror.h>
#include <jpeglib.h>

namespace kandinsky::io {
namespace {

/// State of libjpeg's callbacks.
struct State {
  jpeg_error_mgr errors = {};
  std::jmp_buf jump = {};
  LibraryFailure failure;
};

struct Reader : State {
  jpeg_decompress_struct jpeg = {};
  jpeg_progress_mgr progress = {};
  ReadDeadline deadline;
  App1 app1;
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
};

struct Writer : State {
  jpeg_compress_struct jpeg = {};
  jpeg_destination_mgr destination = {};
  std::array<JOCTET, 1U << 16U> piece = {};
  std::vector<std::uint8_t> out;
  ~Writer() { jpeg_destroy_compress(&jpeg); }
};

State& state_of(j_common_ptr jpeg) { return *static_cast<State*>(jpeg->client_data); }

[[noreturn]] void on_error(j_common_ptr jpeg) {
  State& state = state_of(jpeg);
  const int code = state.errors.msg_code;
  if (code == JERR_OUT_OF_MEMORY) state.failure.kind = LibraryFailure::Kind::kOutOfMemory;
  if (code == JWRN_JPEG_EOF || code == JERR_INPUT_EMPTY)
    state.failure.kind = LibraryFailure::Kind::kCutOff;
  static_assert(std::tuple_size_v<decltype(state.failure.reason)> >= JMSG_LENGTH_MAX);
  state.errors.format_message(jpeg, state.failure.reason.data());
  std::longjmp(state.jump, 1);
}

/// Nothing is written to standard error. Of the warnings only the end of the file is an error:
/// libjpeg would insert an end marker.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && state_of(jpeg).errors.msg_code == JWRN_JPEG_EOF) on_error(jpeg);
}

/// Whether libjpeg finished the steps without an error.
template <typename Steps>
bool succeeds(State* state, const Steps& steps) {
  if (setjmp(state->jump) != 0) return false;
  steps();
  return true;
}

jpeg_error_mgr* set_up_errors(State* state) {
  jpeg_std_error(&state->errors);
  state->errors.error_exit = on_error;
  state->errors.emit_message = on_message;
  return &state->errors;
}

/// Records an APP1 segment in place: libjpeg's own list of them takes quadratic time.
boolean on_app1(j_decompress_ptr jpeg) {
  jpeg_source_mgr& source = *jpeg->src;  // holds all that is left of the file
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(source.next_input_byte[i]);
  };
  const std::size_t size = source.bytes_in_buffer < 2 ? 0 : byte(0) << 8U | byte(1);
  if (size < 2 || size > source.bytes_in_buffer) ERREXIT(jpeg, JWRN_JPEG_EOF);
  const auto* data = reinterpret_cast<const std::byte*>(source.next_input_byte);
  static_cast<Reader&>(state_of(reinterpret_cast<j_common_ptr>(jpeg)))
      .app1.take({data + 2, size - 2});
  source.next_input_byte += size;
  source.bytes_in_buffer -= size;
  return TRUE;
}

/// Called for every few rows, of every scan.
void on_progress(j_common_ptr jpeg) {
  auto& reader = static_cast<Reader&>(state_of(jpeg));
  using Kind = LibraryFailure::Kind;
  if (reader.jpeg.input_scan_number > limits::kMaxJpegScans) {
    reader.failure.kind = Kind::kTooManyScans;
  } else if (std::chrono::steady_clock::now() > reader.deadline) {
    reader.failure.kind = Kind::kTooSlow;
  } else {
    return;
  }
  std::longjmp(reader.jump, 1);
}

Writer& writer_of(j_compress_ptr jpeg) {
  return static_cast<Writer&>(state_of(reinterpret_cast<j_common_ptr>(jpeg)));
}

void start_piece(j_compress_ptr jpeg) {
  Writer& writer = writer_of(jpeg);
  writer.destination.next_output_byte = writer.piece.data();
  writer.destination.free_in_buffer = writer.piece.size();
}

/// The block is full, regardless of free_in_buffer.
boolean write_piece(j_compress_ptr jpeg) {
  Writer& writer = writer_of(jpeg);
  if (!append(writer.piece.data(), writer.piece.size(), &writer.out))
    ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
  start_piece(jpeg);
  return TRUE;
}

void write_rest(j_compress_ptr jpeg) {
  Writer& writer = writer_of(jpeg);
  const std::size_t size = writer.piece.size() - writer.destination.free_in_buffer;
  if (!append(writer.piece.data(), size, &writer.out)) ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
}

/// Adobe's inverted CMYK to RGB, as in Pillow.
void rgb_of_inks(const JSAMPLE* inks, std::size_t pixels, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < pixels; ++i) {
    const unsigned black = inks[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned product = (255U - inks[4 * i + c]) * black + 128U;
      rgb[3 * i + c] = static_cast<std::uint8_t>(black - (((product >> 8U) + product) >> 8U));
    }
  }
}

std::vector<std::byte> copy_of(Span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

StoredImage read_jpeg(Span<const std::byte> bytes, std::string_view source, ReadDeadline deadline) {
  Reader reader;
  jpeg_decompress_struct& jpeg = reader.jpeg;
  reader.deadline = deadline;
  const bool has_header = succeeds(&reader, [&] {
    jpeg.err = set_up_errors(&reader);
    jpeg.client_data = static_cast<State*>(&reader);
    jpeg_create_decompress(&jpeg);
    reader.progress.progress_monitor = on_progress;
    jpeg.progress = &reader.progress;
    jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_set_marker_processor(&jpeg, JPEG_APP0 + 1, on_app1);
    jpeg_read_header(&jpeg, TRUE);
  });
  const std::int64_t width = jpeg.image_width;
  const std::int64_t height = jpeg.image_height;
  check_image_size(width, height, source);
  if (!has_header) reader.failure.throw_reading("JPEG", width, height, source);

  const bool inks = jpeg.num_components == 4;
  switch (jpeg.num_components) {
    case 1:
      jpeg.out_color_space = JCS_GRAYSCALE;
      break;
    case 3:
      jpeg.out_color_space = JCS_RGB;
      break;
    case 4:
      jpeg.out_color_space = JCS_CMYK;
      break;
    default:
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: a JPEG image of {} colours, expected 1 (grey), 3 (RGB) or 4 "
                              "(CMYK)",
                              source, jpeg.num_components));
  }
  StoredImage stored;
  Image& image = stored.image;
  image = {static_cast<int>(width), static_cast<int>(height), inks ? 3 : jpeg.num_components, {}};
  const std::size_t row =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(image.channels);
  image.pixels.resize(row * static_cast<std::size_t>(height));
  std::vector<JSAMPLE> row_of_inks(inks ? static_cast<std::size_t>(width) * 4 : 0);
  const auto read_pixels = [&] {
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      std::uint8_t* to = image.pixels.data() + row * jpeg.output_scanline;
      JSAMPROW rows = inks ? row_of_inks.data() : to;
      jpeg_read_scanlines(&jpeg, &rows, 1);
      if (inks) rgb_of_inks(rows, static_cast<std::size_t>(width), to);
    }
    jpeg_finish_decompress(&jpeg);
  };
  if (!succeeds(&reader, read_pixels)) reader.failure.throw_reading("JPEG", width, height, source);
  stored.exif = copy_of(reader.app1.exif);
  stored.xmp = copy_of(reader.app1.xmp);
  return stored;
}

std::vector<std::uint8_t> write_jpeg(const Image& image, int quality) {
  Writer writer;
  jpeg_compress_struct& jpeg = writer.jpeg;
  writer.destination.init_destination = start_piece;
  writer.destination.empty_output_buffer = write_piece;
  writer.destination.term_destination = write_rest;
  const auto write = [&] {
    jpeg.err = set_up_errors(&writer);
    jpeg.client_data = static_cast<State*>(&writer);
    jpeg_create_compress(&jpeg);
    jpeg.dest = &writer.destination;
    jpeg.image_width = static_cast<JDIMENSION>(image.width);
    jpeg.image_height = static_cast<JDIMENSION>(image.height);
    jpeg.input_components = image.channels;
    jpeg.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    const std::size_t row =
        static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.channels);
    while (jpeg.next_scanline < jpeg.image_height) {
      JSAMPROW from = const_cast<std::uint8_t*>(image.pixels.data() + row * jpeg.next_scanline);
      jpeg_write_scanlines(&jpeg, &from, 1);
    }
    jpeg_finish_compress(&jpeg);
  };
  if (!succeeds(&writer, write)) writer.failure.throw_writing("JPEG");
  return std::move(writer.out);
}

}  // namespace kandinsky::io
