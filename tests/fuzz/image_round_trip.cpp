/// An image of any kind, written in each format and read back.
#include <cstdlib>

#include "fuzz/fuzz.h"
#include "io/images/codec.h"

namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto format = static_cast<io::ImageFormat>(input.byte() % 3);
  const int quality = input.number(-1, 102);
  io::Image image{.width = input.number(0, 40),
                  .height = input.number(0, 40),
                  .channels = input.number(0, 5),
                  .pixels = {}};
  const std::size_t expected = static_cast<std::size_t>(image.width) *
                               static_cast<std::size_t>(image.height) *
                               static_cast<std::size_t>(image.channels);
  const bool wrong_size = input.byte() == 0xFF;
  image.pixels.assign(expected + (wrong_size ? 1 : 0), 0);
  for (std::uint8_t& value : image.pixels) value = input.byte();

  std::vector<std::uint8_t> file;
  const bool written = fuzz::accepts(
      [&] { file = io::encode_image(image, format, {.parameters = {}, .quality = quality}); });
  const bool has_shape = expected > 0 && !wrong_size &&
                         (image.channels == 1 || image.channels == 3 || image.channels == 4);
  const bool fits = format != io::ImageFormat::kJpeg || image.channels != 4;
  fuzz::require(written == (has_shape && fits && quality >= 1 && quality <= 100),
                "what is documented is written, and nothing else");
  if (!written) return 0;
  const io::Image read = io::decode_image(fuzz::bytes_of(file.data(), file.size()),
                                          io::ImageChannels::kAsStored, "copy");
  fuzz::require(read.width == image.width && read.height == image.height, "the size is kept");
  if (format == io::ImageFormat::kPng) fuzz::require(read == image, "a PNG gives the image back");
  if (format == io::ImageFormat::kWebp && quality == 100) {
    const auto as_rgba = [&](const io::Image& from) {
      const std::vector<std::uint8_t> png = io::encode_image(from, io::ImageFormat::kPng);
      return io::decode_image(fuzz::bytes_of(png.data(), png.size()), io::ImageChannels::kRgba,
                              "copy");
    };
    const io::Image left = as_rgba(read);
    const io::Image right = as_rgba(image);
    for (std::size_t i = 0; i < left.pixels.size(); i += 4) {
      const bool unseen = right.pixels[i + 3] == 0;  // colours that nobody sees may change
      fuzz::require(
          left.pixels[i + 3] == right.pixels[i + 3] &&
              (unseen || std::equal(left.pixels.begin() + static_cast<std::ptrdiff_t>(i),
                                    left.pixels.begin() + static_cast<std::ptrdiff_t>(i) + 3,
                                    right.pixels.begin() + static_cast<std::ptrdiff_t>(i))),
          "a lossless WebP gives the image back");
    }
  }
  return 0;
}
