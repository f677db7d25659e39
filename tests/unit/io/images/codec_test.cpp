#include "io/images/codec.h"

#include <map>
#include <utility>

#include "base/limits.h"
#include "unit/io/images/image_files.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

/// The chunks of a PNG with their checksums checked: type to data (the first of each type).
std::map<std::string, std::string> chunks_of(const Bytes& png) {
  std::map<std::string, std::string> result;
  const std::string text(png.begin(), png.end());
  std::size_t at = 8;
  while (at + 12 <= text.size()) {
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length = length << 8U | static_cast<std::uint8_t>(text[at + i]);
    }
    const std::string type = text.substr(at + 4, 4);
    const std::string data = text.substr(at + 8, length);
    EXPECT_EQ(text.substr(at, 12 + length), chunk(type, data)) << type;
    result.emplace(type, data);
    at += 12 + length;
  }
  EXPECT_EQ(at, text.size());
  return result;
}

TEST(Codec, PngKeepsEveryValueForEveryChannelCount) {
  const test::TempFolder folder;
  for (const int channels : {1, 3, 4}) {
    const Image image = gradient(5, 3, channels);
    const std::string path = folder.path("image.PNG");
    write_image(path, image);
    expect_same(read_image(path), image);
  }
  EXPECT_EQ(folder.num_files(), 1U);
}

TEST(Codec, WebpAtFullQualityIsLosslessAndJpegIsClose) {
  const test::TempFolder folder;
  const Image image = gradient(24, 16, 3);
  write_image(folder.path("a.webp"), image, {.parameters = "", .quality = 100});
  expect_same(read_image(folder.path("a.webp")), image);
  Image flat{16, 8, 3, {}};
  for (int i = 0; i < 16 * 8; ++i) flat.pixels.insert(flat.pixels.end(), {200, 40, 90});
  write_image(folder.path("a.jpeg"), flat);
  const Image back = read_image(folder.path("a.jpeg"));
  ASSERT_EQ(back.pixels.size(), flat.pixels.size());
  for (std::size_t i = 0; i < back.pixels.size(); ++i) {
    EXPECT_NEAR(back.pixels[i], flat.pixels[i], 4) << i;
  }
}

TEST(Codec, LosslessKeepsColoursThatAreTransparent) {
  Image image = gradient(20, 10, 4);
  for (std::size_t i = 3; i < image.pixels.size(); i += 4) image.pixels[i] = i % 8 == 3 ? 0 : 200;
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kWebp}) {
    const Bytes file = encode_image(image, format, {.parameters = "", .quality = 100});
    expect_same(decode_image(view(file), ImageChannels::kAsStored, "x"), image);
  }
}

TEST(Codec, ConvertsChannelsOnRequest) {
  const Image rgba{1, 1, 4, {255, 0, 10, 7}};
  const Bytes png = encode_image(rgba, ImageFormat::kPng);
  expect_same(decode_image(view(png), ImageChannels::kRgb, "x"), {1, 1, 3, {255, 0, 10}});
  // 0.299 * 255 + 0.114 * 10
  expect_same(decode_image(view(png), ImageChannels::kGrey, "x"), {1, 1, 1, {77}});
  expect_same(decode_image(view(png), ImageChannels::kRgba, "x"), rgba);
  const Bytes grey = encode_image({1, 1, 1, {9}}, ImageFormat::kPng);
  expect_same(decode_image(view(grey), ImageChannels::kRgba, "x"), {1, 1, 4, {9, 9, 9, 255}});
  expect_same(decode_image(view(grey), ImageChannels::kRgb, "x"), {1, 1, 3, {9, 9, 9}});
  expect_same(decode_image(view(grey), ImageChannels::kAsStored, "x"), {1, 1, 1, {9}});
}

TEST(Codec, ReducesSixteenBitsToTheHighByte) {
  const std::string rows("\0\x12\xFF\x80\x01\xFF\xFE", 7);
  expect_same(decode_image(view(png_of(1, 1, 16, 2, rows)), ImageChannels::kAsStored, "x"),
              {1, 1, 3, {0x12, 0x80, 0xFF}});
  const std::string grey("\0\x7F\xFF", 3);
  expect_same(decode_image(view(png_of(1, 1, 16, 0, grey)), ImageChannels::kAsStored, "x"),
              {1, 1, 1, {0x7F}});
}

TEST(Codec, ReadsPalettesBitmapsAndGreyWithAlpha) {
  const std::string palette("\x0A\x14\x1E\x28\x32\x3C", 6);
  const std::string indexed = png_of(2, 1, 8, 3, std::string("\0\1\0", 3), palette);
  expect_same(decode_image(view(indexed), ImageChannels::kAsStored, "x"),
              {2, 1, 3, {40, 50, 60, 10, 20, 30}});
  const std::string bits = png_of(2, 1, 1, 0, std::string("\0\x40", 2));
  expect_same(decode_image(view(bits), ImageChannels::kGrey, "x"), {2, 1, 1, {0, 255}});
  const std::string grey_alpha = png_of(1, 1, 8, 4, std::string("\0\x50\x60", 3));
  expect_same(decode_image(view(grey_alpha), ImageChannels::kAsStored, "x"),
              {1, 1, 4, {0x50, 0x50, 0x50, 0x60}});
}

TEST(Codec, ReadsCmykJpegs) {
  // Stored as Adobe does, inverted: full cyan is 0.
  const Image image =
      decode_image(view(cmyk_jpeg({255, 0, 128, 255})), ImageChannels::kAsStored, "x");
  ASSERT_EQ(image.channels, 3);
  ASSERT_EQ(image.width, 8);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    EXPECT_NEAR(image.pixels[i], 255, 1);
    EXPECT_NEAR(image.pixels[i + 1], 0, 1);
    EXPECT_NEAR(image.pixels[i + 2], 128, 1);
  }
}

TEST(Codec, ReadsTheFirstImageOfAnAnimatedPng) {
  const std::string still = png_of(1, 1, 8, 0, std::string("\0\x2A", 2));
  constexpr std::size_t kAfterHeader = 33;
  const std::string before_end = still.substr(0, still.size() - 12);
  // Two frames, played for ever; the second one is in chunks that other readers skip.
  const std::string frame = big_endian(1) + big_endian(1) + big_endian(0) + big_endian(0) +
                            std::string("\0\1\0\1\0\0", 6);
  const std::string animated =
      before_end.substr(0, kAfterHeader) + chunk("acTL", big_endian(2) + big_endian(0)) +
      chunk("fcTL", big_endian(0) + frame) + before_end.substr(kAfterHeader) +
      chunk("fcTL", big_endian(1) + frame) + chunk("fdAT", big_endian(2) + "no image") +
      chunk("IEND", "");
  expect_same(decode_image(view(animated), ImageChannels::kAsStored, "x"), {1, 1, 1, {42}});
}

TEST(Codec, ReadsThinImages) {
  const Image thin = gradient(1, 9000, 3);
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kWebp}) {
    const Bytes file = encode_image(thin, format, {.parameters = "", .quality = 100});
    expect_same(decode_image(view(file), ImageChannels::kRgb, "x"), thin);
  }
}

TEST(Codec, StoresParametersAsTheHostDoes) {
  const Image image = gradient(2, 2, 3);
  const auto chunks = [&](std::string_view parameters) {
    const Bytes png = encode_image(image, ImageFormat::kPng, {.parameters = parameters});
    expect_same(decode_image(view(png), ImageChannels::kAsStored, "x"), image);
    return chunks_of(png);
  };
  using namespace std::string_literals;
  EXPECT_EQ(chunks("a cat\nSteps: 20").at("tEXt"), "parameters\0a cat\nSteps: 20"s);
  EXPECT_EQ(chunks("caf\u00e9 \u00ff").at("tEXt"), "parameters\0caf\xE9 \xFF"s);
  EXPECT_EQ(chunks("кот").at("iTXt"), "parameters\0\0\0\0\0кот"s);
  EXPECT_EQ(chunks("\u0100").count("tEXt"), 0U);
  EXPECT_EQ(chunks("").count("tEXt"), 0U);
}

TEST(Codec, RefusesParametersThatCannotBeStored) {
  const Image image = gradient(2, 2, 3);
  const auto refuse = [&](std::string_view part, std::string_view parameters, ImageFormat format) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { (void)encode_image(image, format, {.parameters = parameters}); });
  };
  refuse("cannot hold parameters", "x", ImageFormat::kJpeg);
  refuse("cannot hold parameters", "x", ImageFormat::kWebp);
  refuse("null character", std::string_view("a\0b", 3), ImageFormat::kPng);
  refuse("UTF-8", "\xFF", ImageFormat::kPng);
  refuse("bytes", std::string(limits::kMaxImageTextBytes + 1, 'x'), ImageFormat::kPng);
}

TEST(Codec, RefusesImagesThatCannotBeWritten) {
  const auto refuse = [&](std::string_view part, const Image& image, ImageFormat format) {
    test::expect_error(ErrorCode::kInvalidArgument, part,
                       [&] { (void)encode_image(image, format); });
  };
  refuse("0 x 1 pixels", {0, 1, 3, {}}, ImageFormat::kPng);
  refuse("-1 x 1 pixels", {-1, 1, 3, {}}, ImageFormat::kPng);
  refuse("2 channels", {1, 1, 2, {1, 2}}, ImageFormat::kPng);
  refuse("has 3 values, expected 6", {2, 1, 3, {1, 2, 3}}, ImageFormat::kPng);
  refuse("alpha", gradient(1, 1, 4), ImageFormat::kJpeg);
  refuse("too large for WebP", gradient(16384, 1, 1), ImageFormat::kWebp);
  refuse("too large for JPEG", gradient(65501, 1, 1), ImageFormat::kJpeg);
  refuse("too many", gradient(65536, 1, 1), ImageFormat::kPng);
  // It could not be read back.
  refuse("16384 x 8193 pixels are too many, at most 65535 a side and 134217728 in all",
         {16384, 8193, 1, {}}, ImageFormat::kPng);
  for (const int quality : {0, 101, -5}) {
    test::expect_error(ErrorCode::kInvalidArgument, "quality", [&] {
      (void)encode_image(gradient(1, 1, 3), ImageFormat::kJpeg,
                         {.parameters = "", .quality = quality});
    });
  }
}

TEST(Codec, TakesTheFormatFromTheSuffix) {
  EXPECT_EQ(image_format_for("a.png"), ImageFormat::kPng);
  EXPECT_EQ(image_format_for("/x.y/a.b.JPG"), ImageFormat::kJpeg);
  EXPECT_EQ(image_format_for("a.jpeg"), ImageFormat::kJpeg);
  EXPECT_EQ(image_format_for("a.WebP"), ImageFormat::kWebp);
  for (const char* path : {"a", "a.gif", "x.png/a", "", "."}) {
    test::expect_error(ErrorCode::kInvalidArgument, "must end in .png",
                       [&] { (void)image_format_for(path); });
  }
}

TEST(Codec, AFailedWriteLeavesNothing) {
  const test::TempFolder folder;
  test::expect_error(ErrorCode::kNotFound, "folder does not exist",
                     [&] { write_image(folder.path("no/a.png"), gradient(1, 1, 3)); });
  test::expect_error(ErrorCode::kInvalidArgument, "must end in",
                     [&] { write_image(folder.path("a.bmp"), gradient(1, 1, 3)); });
  EXPECT_EQ(folder.num_files(), 0U);
}

TEST(Codec, RefusesBytesThatAreNoImage) {
  const auto refuse = [](ErrorCode code, std::string_view part, std::string_view bytes) {
    test::expect_error(
        code, part, [&] { (void)decode_image(view(bytes), ImageChannels::kAsStored, "upload"); });
  };
  using enum ErrorCode;
  refuse(kCorruptFile, "upload: the image file is empty", "");
  refuse(kUnsupported, "upload: is in GIF format; only PNG, JPEG and WebP are supported", "GIF89a");
  refuse(kUnsupported, "not a PNG, JPEG or WebP", "text");
  refuse(kUnsupported, "not a PNG, JPEG or WebP", "RIFF....AVI ");
  refuse(kUnsupported, "not a PNG, JPEG or WebP", "RIFF");
  refuse(kCorruptFile, "no readable size", "\x89PNG\r\n\x1a\n");
  refuse(kCorruptFile, "no readable size", "\xFF\xD8\xFF\xD9");
  refuse(kCorruptFile, "no readable size", "RIFF\1\1\1\1WEBPVP8 ");
  refuse(kCorruptFile, "no readable size", png_of(0, 5, 8, 2, "x"));
  refuse(kCorruptFile, "cannot be decoded", png_of(4, 4, 8, 2, "too short"));
  refuse(kCorruptFile, "cut off", png_of(1, 1, 8, 0, std::string(2, '\0')).substr(0, 60));
  refuse(kUnsupported, "a JPEG image of 2 colours", jpeg_of_two_colours());
}

TEST(Codec, NamesFilesOfOtherKinds) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> kinds[] = {
      {"\x89PNG\r\n\x1a\n\0\0\0\4CgBI\x50\0\x20\6"s, "Apple's CgBI variant of PNG"},
      {"\x89PNG\n\x1a\n\0\0\0\rIHDR"s, "a PNG file that was changed"},
      {"BM\x36\0"s, "in BMP format"},
      {"II*\0\x08"s, "in TIFF format"},
      {"MM\0*\0"s, "in TIFF format"},
      {"II+\0\x08"s, "in BigTIFF format"},
      {"\0\0\0\x1C"s + "ftypavif", "in AVIF format"},
      {"\0\0\0\x1C"s + "ftypavis", "in AVIF format"},
      {"\0\0\0\x18"s + "ftypheic", "in HEIC format"},
      {"\0\0\0\x18"s + "ftypheix", "in HEIC format"},
      {"\0\0\0\x18"s + "ftyphevc", "in HEIC format"},
      {"\0\0\0\x18"s + "ftypmif1", "in HEIF format"},
      {"\0\0\0\x18"s + "ftypmsf1", "in HEIF format"},
      {"\0\0\0\x20"s + "ftypisom", "a video"},
      {"\xFF\x0A\xFA"s, "in JPEG XL format"},
      {"\0\0\0\x0CJXL \r\n\x87\n"s, "in JPEG XL format"},
      {"\0\0\0\x0CjP  \r\n\x87\n"s, "in JPEG 2000 format"},
      {"8BPS\0\1"s, "PSD"},
      {"\0\0\1\0\1\0"s, "in ICO format"},
      {"%PDF-1.7", "a PDF document"},
      {"PK\3\4\x14\0"s, "a ZIP archive"},
      {"\x40\0\0\0\0\0\0\0{\"__metadata__\""s, "a safetensors file"},
      {"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
      {"<svg xmlns=", "in SVG format"},
      {"\xEF\xBB\xBF<?xml version", "an XML document"},
      {"\r\n <!DOCTYPE HTML>", "a web page"},
      {"<HTML><head>", "a web page"},
  };
  for (const auto& [bytes, part] : kinds) {
    test::expect_error(ErrorCode::kUnsupported, part, [&] {
      (void)decode_image(view(bytes), ImageChannels::kAsStored, "upload");
    });
    test::expect_error(ErrorCode::kUnsupported, "only PNG, JPEG and WebP are supported", [&] {
      (void)decode_image(view(bytes), ImageChannels::kAsStored, "upload");
    });
  }
}

TEST(Codec, RefusesSizesBeforeDecoding) {
  const auto refuse = [](std::string_view bytes) {
    test::expect_error(ErrorCode::kInvalidArgument, "too many", [&] {
      (void)decode_image(view(bytes), ImageChannels::kAsStored, "upload");
    });
  };
  refuse(png_of(65536, 1, 8, 0, "x"));
  refuse(png_of(1, 0x7FFFFFFF, 8, 0, "x"));
  refuse(png_of(20000, 20000, 8, 0, "x"));
  // Up to the frame's header, of one component.
  const std::string jpeg(
      "\xFF\xD8\xFF\xE0\x00\x04\x00\x00\xFF\xC0\x00\x0B\x08\xFF\xFF\xFF\xFF\x01\x01\x11\x00", 21);
  refuse(jpeg);
  // A canvas of 16,384 a side, in the extended form.
  const std::string webp("RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xFF\x3F\0\xFF\x3F\0", 30);
  refuse(webp);
  // What the formats themselves do not allow.
  const auto refuse_to_read = [](std::string_view part, std::string_view bytes) {
    test::expect_error(ErrorCode::kCorruptFile, part, [&] {
      (void)decode_image(view(bytes), ImageChannels::kAsStored, "upload");
    });
  };
  refuse_to_read("no readable size", png_of(0xFFFFFFFF, 0xFFFFFFFF, 8, 0, "x"));
  refuse_to_read("no readable size", webp.substr(0, 24) + std::string(6, '\xFF'));
}

TEST(Codec, EveryTruncationIsAnError) {
  const Image image = gradient(16, 16, 3);
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp}) {
    const Bytes whole = encode_image(image, format);
    EXPECT_NO_THROW((void)decode_image(view(whole), ImageChannels::kRgb, "whole"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      try {
        (void)decode_image(view(part), ImageChannels::kRgb, "part");
        ADD_FAILURE() << size << " of " << whole.size() << " bytes were taken for an image";
      } catch (const Error& error) {
        // Too short for the signature: it could be anything.
        const bool expected = error.code() == ErrorCode::kCorruptFile ||
                              (size < 12 && error.code() == ErrorCode::kUnsupported);
        EXPECT_TRUE(expected) << error.what();
      }
    }
  }
}

TEST(Codec, AJpegWithoutItsLastRowsNeverShowsOldMemory) {
  Image flat{64, 64, 3, Bytes(std::size_t{64} * 64 * 3, 200)};
  Bytes jpeg = encode_image(flat, ImageFormat::kJpeg);
  // Compressed data cut in the middle, but an end mark behind them.
  jpeg.resize(jpeg.size() - 40);
  jpeg.insert(jpeg.end(), {0xFF, 0xD9});
  const Image first = decode_image(view(jpeg), ImageChannels::kRgb, "x");
  const Image second = decode_image(view(jpeg), ImageChannels::kRgb, "x");
  EXPECT_EQ(first.pixels, second.pixels);
  EXPECT_EQ(first.pixels[0], 200);
}

TEST(Codec, LibrariesWriteNothingToStandardError) {
  Bytes jpeg = encode_image(gradient(32, 32, 3), ImageFormat::kJpeg);
  jpeg.erase(jpeg.end() - 60, jpeg.end() - 20);
  const std::string still = png_of(1, 1, 8, 0, std::string(2, '\0'));
  const std::string odd_text =
      still.substr(0, 33) + chunk("tEXt", "\1bad keyword") + still.substr(33);
  std::string bad_checksum = still;
  bad_checksum[still.size() - 14] ^= 1;
  testing::internal::CaptureStderr();
  for (const std::string& file : {odd_text, bad_checksum, std::string(jpeg.begin(), jpeg.end())}) {
    try {
      (void)decode_image(view(file), ImageChannels::kAsStored, "x");
    } catch (const Error&) {
      // Whether they are read does not matter here.
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Codec, ReadsFilesAndNamesThem) {
  const test::TempFolder folder;
  const std::string path = folder.write("a.png", "nothing");
  test::expect_error(ErrorCode::kUnsupported, path, [&] { (void)read_image(path); });
  test::expect_error(ErrorCode::kNotFound, "b.png",
                     [&] { (void)read_image(folder.path("b.png")); });
}

}  // namespace
}  // namespace kandinsky::io
