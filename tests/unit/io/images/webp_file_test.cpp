#include "io/images/codec.h"
#include "unit/io/images/image_files.h"
#include "unit/support.h"

namespace kandinsky::io {
namespace {

std::string number(std::size_t value, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string riff_chunk(const std::string& type, const std::string& data) {
  return type + number(data.size(), 4) + data + (data.size() % 2 == 0 ? "" : std::string(1, '\0'));
}

/// A frame of an animation, with its upper left pixel at x, y.
std::string frame(const Image& image, std::size_t x, std::size_t y, int quality = 100) {
  const Bytes still =
      encode_image(image, ImageFormat::kWebp, {.parameters = "", .quality = quality});
  std::string chunks(still.begin() + 12, still.end());
  // The extended form says again what the animation says.
  if (chunks.starts_with("VP8X")) chunks = chunks.substr(18);
  return riff_chunk("ANMF", number(x / 2, 3) + number(y / 2, 3) +
                                number(static_cast<std::size_t>(image.width) - 1, 3) +
                                number(static_cast<std::size_t>(image.height) - 1, 3) +
                                number(100, 3) + number(0, 1) + chunks);
}

std::string animation(std::size_t width, std::size_t height, const std::string& frames) {
  constexpr std::size_t kAnimated = 0x02;
  constexpr std::size_t kAlpha = 0x10;
  const std::string chunks = riff_chunk("VP8X", number(kAnimated | kAlpha, 4) +
                                                    number(width - 1, 3) + number(height - 1, 3)) +
                             riff_chunk("ANIM", number(0, 6)) + frames;
  return "RIFF" + number(chunks.size() + 4, 4) + "WEBP" + chunks;
}

Image decoded(const std::string& file) {
  return decode_image(view(file), ImageChannels::kAsStored, "upload");
}

TEST(WebpFile, AnAnimationGivesItsFirstImage) {
  const Image first = gradient(6, 4, 3);
  const Image second = {6, 4, 3, Bytes(std::size_t{6} * 4 * 3, 0)};
  expect_same(decoded(animation(6, 4, frame(first, 0, 0) + frame(second, 0, 0))), first);
  expect_same(decoded(animation(6, 4, frame(second, 0, 0) + frame(first, 0, 0))), second);
}

TEST(WebpFile, ASmallerFrameHasItsPlaceOnTheCanvas) {
  const Image image = gradient(2, 1, 3);
  const Image whole = decoded(animation(6, 4, frame(image, 4, 2)));
  ASSERT_EQ(whole.width, 6);
  ASSERT_EQ(whole.height, 4);
  ASSERT_EQ(whole.channels, 4);
  Image expected{6, 4, 4, Bytes(std::size_t{6} * 4 * 4, 0)};
  for (std::size_t x = 0; x < 2; ++x) {
    const std::size_t at = ((2 * 6) + 4 + x) * 4;
    for (std::size_t c = 0; c < 3; ++c) expected.pixels[at + c] = image.pixels[x * 3 + c];
    expected.pixels[at + 3] = 255;
  }
  expect_same(whole, expected);
}

TEST(WebpFile, KeepsTheAlphaOfALossyFrame) {
  Image image{16, 16, 4, {}};
  for (int i = 0; i < 256; ++i) {
    const auto alpha = static_cast<std::uint8_t>(i % 16 < 8 ? 255 : 40);
    image.pixels.insert(image.pixels.end(), {200, 40, 90, alpha});
  }
  const Image back = decoded(animation(16, 16, frame(image, 0, 0, 90)));
  ASSERT_EQ(back.channels, 4);
  for (std::size_t i = 3; i < back.pixels.size(); i += 4)
    EXPECT_EQ(back.pixels[i], image.pixels[i]) << i;
}

TEST(WebpFile, RefusesAnAnimationWithoutAWholeFrame) {
  const auto refuse = [](const std::string& file) {
    test::expect_error(ErrorCode::kCorruptFile, "upload: the WebP image cannot be decoded",
                       [&] { (void)decoded(file); });
  };
  refuse(animation(6, 4, ""));
  refuse(animation(6, 4, riff_chunk("ANMF", "too short")));
  refuse(animation(6, 4, riff_chunk("ANMF", std::string(16, '\0'))));
  // Over the border of the canvas.
  refuse(animation(6, 4, frame(gradient(6, 4, 3), 2, 0)));
  refuse(animation(6, 4, frame(gradient(6, 4, 3), 0, 2)));
  refuse(animation(2, 2, frame(gradient(6, 4, 3), 0, 0)));
}

}  // namespace
}  // namespace kandinsky::io
