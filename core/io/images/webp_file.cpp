#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"
#include "io/images/image_files.h"

namespace kandinsky::io {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

struct Frame : WebPIterator {
  Frame() : WebPIterator{} {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() { WebPDemuxReleaseIterator(this); }
};

/// The first chunk of a name; empty if there is none.
std::vector<std::byte> chunk_of(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator chunk = {};
  std::vector<std::byte> data;
  if (WebPDemuxGetChunk(demuxer, name, 1, &chunk) != 0) {
    const auto* bytes = reinterpret_cast<const std::byte*>(chunk.chunk.bytes);
    data.assign(bytes, bytes + chunk.chunk.size);
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return data;
}

struct EncoderInput : WebPPicture {
  EncoderInput() : WebPPicture{} {}
  EncoderInput(const EncoderInput&) = delete;
  EncoderInput& operator=(const EncoderInput&) = delete;
  ~EncoderInput() { WebPPictureFree(this); }
};

int on_write(const std::uint8_t* data, std::size_t size, const WebPPicture* input) {
  return append(data, size, static_cast<std::vector<std::uint8_t>*>(input->custom_ptr)) ? 1 : 0;
}

}  // namespace

StoredImage read_webp(Span<const std::byte> bytes, std::string_view source) {
  using Kind = LibraryFailure::Kind;
  const WebPData file = {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  WebPBitstreamFeatures features = {};
  const auto fail = [&](Kind kind) {
    const LibraryFailure failure = {.kind = kind};
    failure.throw_reading("WebP", features.width, features.height, source);
  };
  // Uses only the first bytes.
  if (WebPGetFeatures(file.bytes, file.size, &features) != VP8_STATUS_OK) fail(Kind::kDamaged);
  check_image_size(features.width, features.height, source);

  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemuxPartial(&file, &state));
  if (state == WEBP_DEMUX_PARSING_HEADER || state == WEBP_DEMUX_PARSED_HEADER) fail(Kind::kCutOff);
  Frame frame;
  if (demuxer == nullptr || WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) fail(Kind::kDamaged);

  StoredImage stored;
  Image& image = stored.image;
  const bool covers = frame.width == features.width && frame.height == features.height;
  image = {features.width, features.height, covers && frame.has_alpha == 0 ? 3 : 4, {}};
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t row = static_cast<std::size_t>(image.width) * channels;
  image.pixels.resize(row * static_cast<std::size_t>(image.height));
  const std::size_t place = static_cast<std::size_t>(frame.y_offset) * row +
                            static_cast<std::size_t>(frame.x_offset) * channels;
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) fail(Kind::kDamaged);
  config.output.colorspace = channels == 3 ? MODE_RGB : MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {.rgba = image.pixels.data() + place,
                          .stride = static_cast<int>(row),
                          .size = image.pixels.size() - place};
  const VP8StatusCode status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) fail(Kind::kOutOfMemory);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) fail(Kind::kCutOff);
  if (status != VP8_STATUS_OK) fail(Kind::kDamaged);
  stored.exif = chunk_of(demuxer.get(), "EXIF");
  stored.xmp = chunk_of(demuxer.get(), "XMP ");
  return stored;
}

std::vector<std::uint8_t> write_webp(const Image& image, int quality) {
  const Image coloured = image.channels == 1 ? to_rgb(image) : Image{};
  const std::uint8_t* pixels = image.channels == 1 ? coloured.pixels.data() : image.pixels.data();
  std::vector<std::uint8_t> out;
  WebPConfig config;
  EncoderInput input;
  bool done = WebPConfigInit(&config) != 0 && WebPPictureInit(&input) != 0;
  if (quality == 100) {
    constexpr float kEffort = 70.0F;  // that of WebPEncodeLosslessRGB
    config.lossless = 1;
    config.exact = 1;
    config.quality = kEffort;
    input.use_argb = 1;
  } else {
    config.quality = static_cast<float>(quality);
  }
  input.width = image.width;
  input.height = image.height;
  input.writer = on_write;
  input.custom_ptr = &out;
  done = done && (image.channels == 4 ? WebPPictureImportRGBA(&input, pixels, image.width * 4)
                                      : WebPPictureImportRGB(&input, pixels, image.width * 3)) != 0;
  done = done && WebPEncode(&config, &input) != 0;
  if (done) return out;
  LibraryFailure failure;
  // BAD_WRITE means that on_write failed.
  const WebPEncodingError error = input.error_code;
  if (error == VP8_ENC_ERROR_OUT_OF_MEMORY || error == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY ||
      error == VP8_ENC_ERROR_BAD_WRITE) {
    failure.kind = LibraryFailure::Kind::kOutOfMemory;
  }
  const std::string reason = fmt::format("libwebp's error {}", static_cast<int>(error));
  reason.copy(failure.reason.data(), failure.reason.size() - 1);
  failure.throw_writing("WebP");
}

}  // namespace kandinsky::io
