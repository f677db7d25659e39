#include "io/images/orientation.h"

#include "io/images/codec.h"
#include "unit/io/images/image_files.h"

namespace kandinsky::io {
namespace {

using namespace std::string_literals;

std::string little_endian(std::uint32_t value) {
  std::string out;
  for (const unsigned shift : {0U, 8U, 16U, 24U}) out.push_back(static_cast<char>(value >> shift));
  return out;
}

/// EXIF data of two entries, the second one the orientation.
std::string exif(int value) {
  return "MM\0*\0\0\0\x08\0\2"s + "\1\0\0\3\0\0\0\1\0\x07\0\0"s + "\1\x12\0\3\0\0\0\1\0"s +
         static_cast<char>(value) + "\0\0\0\0\0\0"s;
}

std::string little_exif(int value) {
  return "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0"s + static_cast<char>(value) + "\0\0\0\0\0\0\0"s;
}

/// 1 2 3 over 4 5 6.
std::string png_with(const std::string& exif_data) {
  const std::string still = png_of(3, 2, 8, 0, "\0\1\2\3\0\4\5\6"s);
  return still.substr(0, still.size() - 12) + chunk("eXIf", exif_data) + chunk("IEND", "");
}

Image decoded(const std::string& file) {
  return decode_image(view(file), ImageChannels::kAsStored, "x");
}

TEST(Orientation, EveryValueTurnsTheImageUpright) {
  // Source: EXIF, where the 0th row and the 0th column of the stored image are seen.
  expect_same(decoded(png_with(exif(1))), {3, 2, 1, {1, 2, 3, 4, 5, 6}});  // top, left
  expect_same(decoded(png_with(exif(2))), {3, 2, 1, {3, 2, 1, 6, 5, 4}});  // top, right
  expect_same(decoded(png_with(exif(3))), {3, 2, 1, {6, 5, 4, 3, 2, 1}});  // bottom, right
  expect_same(decoded(png_with(exif(4))), {3, 2, 1, {4, 5, 6, 1, 2, 3}});  // bottom, left
  expect_same(decoded(png_with(exif(5))), {2, 3, 1, {1, 4, 2, 5, 3, 6}});  // left, top
  expect_same(decoded(png_with(exif(6))), {2, 3, 1, {4, 1, 5, 2, 6, 3}});  // right, top
  expect_same(decoded(png_with(exif(7))), {2, 3, 1, {6, 3, 5, 2, 4, 1}});  // right, bottom
  expect_same(decoded(png_with(exif(8))), {2, 3, 1, {3, 6, 2, 5, 1, 4}});  // left, bottom
}

TEST(Orientation, IsReadFromJpegAndWebp) {
  // White in the upper left block, black elsewhere: lossy formats keep whole blocks.
  Image image{16, 32, 3, Bytes(std::size_t{16} * 32 * 3, 0)};
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t i = 0; i < 24; ++i) image.pixels[y * 48 + i] = 255;
  }
  const auto expect_turned = [](const Image& turned) {
    ASSERT_EQ(turned.width, 32);
    ASSERT_EQ(turned.height, 16);
    // Turned clockwise, the block is at the upper right.
    EXPECT_GT(turned.pixels[(4 * 32 + 28) * 3], 200);
    EXPECT_LT(turned.pixels[(4 * 32 + 4) * 3], 50);
    EXPECT_LT(turned.pixels[(12 * 32 + 28) * 3], 50);
  };
  for (const std::string& data : {exif(6), little_exif(6)}) {
    const Bytes jpeg = encode_image(image, ImageFormat::kJpeg);
    const std::string segment = "Exif\0\0"s + data;
    std::string tagged(jpeg.begin(), jpeg.end());
    tagged.insert(2, "\xFF\xE1\0"s + static_cast<char>(segment.size() + 2) + segment);
    expect_turned(decoded(tagged));

    const Bytes webp = encode_image(image, ImageFormat::kWebp);
    const std::string still(webp.begin() + 12, webp.end());
    for (const std::string& body : {data, segment}) {
      const std::string chunks = "VP8X"s + little_endian(10) + "\x08\0\0\0\x0F\0\0\x1F\0\0"s +
                                 still + "EXIF" +
                                 little_endian(static_cast<std::uint32_t>(body.size())) + body;
      expect_turned(decoded("RIFF" + little_endian(static_cast<std::uint32_t>(chunks.size() + 4)) +
                            "WEBP" + chunks));
    }
  }
}

TEST(Orientation, WhatMakesNoSenseIsUpright) {
  const Image upright{3, 2, 1, {1, 2, 3, 4, 5, 6}};
  expect_same(decoded(png_with(exif(0))), upright);
  expect_same(decoded(png_with(exif(9))), upright);
  expect_same(decoded(png_with(""s)), upright);
  expect_same(decoded(png_with("nothing of the kind"s)), upright);
  expect_same(decoded(png_with("MM\0*\xFF\xFF\xFF\xFF"s)), upright);
  // Of a type that is no whole number.
  expect_same(decoded(png_with("MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\1\0\6\0\0"s)), upright);
  // A long whose value would make sense as a short.
  expect_same(decoded(png_with("MM\0*\0\0\0\x08\0\1\1\x12\0\4\0\0\0\1\0\6\0\0"s)), upright);
  const std::string whole = exif(6);
  EXPECT_EQ(decoded(png_with(whole)).width, 2);
  for (std::size_t size = 0; size < 34; ++size)
    expect_same(decoded(png_with(whole.substr(0, size))), upright);
}

}  // namespace
}  // namespace kandinsky::io
