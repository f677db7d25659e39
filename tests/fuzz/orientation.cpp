/// Which way is up, by EXIF and XMP data.
#include "io/images/orientation.h"

#include "fuzz/fuzz.h"

namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string_view exif = input.part();
  const std::string_view xmp = input.rest();
  const auto bytes = [](std::string_view text) {
    return fuzz::bytes_of(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  const int orientation = io::orientation_of(bytes(exif), bytes(xmp));
  fuzz::require(orientation >= 1 && orientation <= 8, "an orientation is one of eight");
  const io::Image image{.width = 2, .height = 3, .channels = 1, .pixels = {0, 1, 2, 3, 4, 5}};
  const io::Image upright = io::turned_upright(image, orientation);
  fuzz::require((upright.width == 3) == (orientation >= 5),
                "half of them turn an image on its side");
  fuzz::require(upright.pixels.size() == 6 && (orientation > 1 || upright == image),
                "an image that stands upright stays as it is");
  return 0;
}
