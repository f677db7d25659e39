/// An image file, decoded. Compiled for images that are small by their header and for those that
/// claim to be large, of which only time and memory are of interest.
#include <algorithm>
#include <vector>

#include "fuzz/fuzz.h"
#include "io/bytes.h"
#include "io/images/codec.h"

namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

namespace {

constexpr std::uint64_t kSmall = 256 * 256;

/// The area that a file claims to have, where a decoder would look for it; 0 where it has none.
std::uint64_t claimed_pixels(kandinsky::Span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto area = [](std::uint64_t width, std::uint64_t height) { return width * height; };
  if (text.starts_with("\x89PNG") && file.size() >= 24)
    return area(io::big_endian(file, 16, 4), io::big_endian(file, 20, 4));
  if (text.starts_with("RIFF") && file.size() >= 30) {
    if (text.substr(12, 4) == "VP8X")
      return area(io::little_endian(file, 24, 3) + 1, io::little_endian(file, 27, 3) + 1);
    if (text.substr(12, 4) == "VP8L") {
      const std::uint32_t bits = io::little_endian(file, 21, 4);
      return area((bits & 0x3FFFU) + 1, (bits >> 14U & 0x3FFFU) + 1);
    }
    return area(io::little_endian(file, 26, 2) & 0x3FFFU, io::little_endian(file, 28, 2) & 0x3FFFU);
  }
  std::uint64_t largest = 0;  // of whatever might be a JPEG's frame
  for (std::size_t i = 0; text.starts_with("\xFF\xD8") && i + 9 < file.size(); ++i) {
    const std::uint32_t marker = io::byte_at(file, i + 1);
    if (io::byte_at(file, i) == 0xFF && marker >= 0xC0 && marker <= 0xCF)
      largest =
          std::max(largest, area(io::big_endian(file, i + 5, 2), io::big_endian(file, i + 7, 2)));
  }
  return largest;
}

bool has_shape(const io::Image& image) {
  return image.width > 0 && image.height > 0 &&
         (image.channels == 1 || image.channels == 3 || image.channels == 4) &&
         image.pixels.size() == static_cast<std::size_t>(image.width) *
                                    static_cast<std::size_t>(image.height) *
                                    static_cast<std::size_t>(image.channels);
}

/// Every n-th of the values from first on.
std::vector<std::uint8_t> every(const io::Image& image, std::size_t first, std::size_t n,
                                std::size_t count) {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < image.pixels.size(); i += n) {
    for (std::size_t c = 0; c < count; ++c) result.push_back(image.pixels[i + first + c]);
  }
  return result;
}

/// All that must hold for what comes out.
void check_pixels(kandinsky::Span<const std::byte> bytes) {
  const auto decode = [&](io::ImageChannels channels) {
    io::Image image;
    const bool taken = fuzz::accepts([&] { image = io::decode_image(bytes, channels, "image"); });
    fuzz::require(!taken || has_shape(image), "an image has its pixels");
    return image;
  };
  const io::Image stored = decode(io::ImageChannels::kAsStored);
  const io::Image rgba = decode(io::ImageChannels::kRgba);
  const io::Image rgb = decode(io::ImageChannels::kRgb);
  fuzz::require(
      stored.pixels.empty() == rgba.pixels.empty() && stored.pixels.empty() == rgb.pixels.empty(),
      "whether an image is taken does not depend on the channels");
  if (stored.pixels.empty()) return;
  fuzz::require(rgba.channels == 4 && rgb.channels == 3, "channels are those asked for");
  fuzz::require(every(rgba, 0, 4, 3) == rgb.pixels, "colours are the same with and without alpha");
  if (stored.channels == 4) fuzz::require(stored == rgba, "an image with alpha is stored so");
  if (stored.channels == 3) fuzz::require(stored == rgb, "an image without alpha is stored so");
  if (stored.channels == 1)
    fuzz::require(every(rgb, 0, 3, 1) == stored.pixels, "grey is grey in each colour");
  if (stored.channels != 4) {
    const auto alpha = every(rgba, 3, 4, 1);
    fuzz::require(std::all_of(alpha.begin(), alpha.end(), [](auto value) { return value == 255; }),
                  "what has no alpha is opaque");
  }
  // Written as PNG it is the same image.
  const std::vector<std::uint8_t> png = io::encode_image(stored, io::ImageFormat::kPng);
  fuzz::require(io::decode_image(fuzz::bytes_of(png.data(), png.size()),
                                 io::ImageChannels::kAsStored, "copy") == stored,
                "a PNG of ours gives the image back");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr bool kWantsLarge = KANDINSKY_FUZZ_LARGE_IMAGES != 0;
  const auto bytes = fuzz::bytes_of(data, size);
  if ((claimed_pixels(bytes) > kSmall) != kWantsLarge) return 0;
  if (kWantsLarge) {
    fuzz::accepts([&] { (void)io::decode_image(bytes, io::ImageChannels::kAsStored, "image"); });
  } else {
    check_pixels(bytes);
  }
  return 0;
}
