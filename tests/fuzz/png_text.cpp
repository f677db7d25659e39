/// The parameters' text of a PNG: written as the input, read back as another program would.
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "io/bytes.h"
#include "io/images/codec.h"

namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

namespace {

std::string from_latin1(std::string_view text) {
  std::string utf8;
  for (const char c : text) {
    unsigned char bytes[4];
    utf8.append(reinterpret_cast<char*>(bytes),
                kandinsky::encode_utf8(static_cast<unsigned char>(c), bytes));
  }
  return utf8;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const io::Image image{.width = 1, .height = 2, .channels = 1, .pixels = {10, 200}};
  std::vector<std::uint8_t> png;
  const bool written = fuzz::accepts(
      [&] { png = io::encode_image(image, io::ImageFormat::kPng, {.parameters = text}); });
  const bool can_be = text.find('\0') == std::string_view::npos &&
                      kandinsky::find_invalid_utf8(text) == std::string_view::npos;
  fuzz::require(written == can_be, "UTF-8 without null characters is written, and nothing else");
  if (!written) return 0;

  const auto bytes = fuzz::bytes_of(png.data(), png.size());
  int found = 0;
  std::size_t end = 8;
  while (end + 12 <= bytes.size()) {
    const std::size_t length = io::big_endian(bytes, end, 4);
    fuzz::require(length <= bytes.size() - end - 12, "a chunk lies in the file");
    const auto checked = bytes.subspan(end + 4, length + 4);
    const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(checked.data()),
                             static_cast<uInt>(checked.size()));
    fuzz::require(crc == io::big_endian(bytes, end + 8 + length, 4), "checksums are right");
    end += length + 12;
    const std::string_view body(reinterpret_cast<const char*>(checked.data()), checked.size());
    const std::string_view content = body.substr(4);
    constexpr std::string_view kLatin1("parameters\0", 11);
    constexpr std::string_view kUtf8("parameters\0\0\0\0\0", 15);
    if (body.starts_with("tEXt")) {
      fuzz::require(
          content.starts_with(kLatin1) && from_latin1(content.substr(kLatin1.size())) == text,
          "a text of Latin-1 comes back");
    } else if (body.starts_with("iTXt")) {
      fuzz::require(content.starts_with(kUtf8) && content.substr(kUtf8.size()) == text,
                    "a text comes back");
    }
    if (body.starts_with("tEXt") || body.starts_with("iTXt")) ++found;
  }
  fuzz::require(end == png.size(), "the file is chunks and nothing else");
  fuzz::require(found == (text.empty() ? 0 : 1), "there is one text, or none");
  fuzz::require(io::decode_image(bytes, io::ImageChannels::kAsStored, "copy") == image,
                "the pixels stay");
  return 0;
}
