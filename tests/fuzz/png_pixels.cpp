/// A PNG that is well formed, of every kind there is: made from the input, so that no mutation is
/// lost to a checksum.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <vector>

#include "fuzz/fuzz.h"
#include "io/images/codec.h"

namespace fuzz = kandinsky::fuzz;
namespace io = kandinsky::io;

namespace {

using Bytes = std::vector<std::uint8_t>;

void append_number(std::uint32_t value, Bytes* out) {
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    out->push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_chunk(std::string_view type, const Bytes& content, Bytes* png) {
  append_number(static_cast<std::uint32_t>(content.size()), png);
  Bytes body(type.begin(), type.end());
  body.insert(body.end(), content.begin(), content.end());
  png->insert(png->end(), body.begin(), body.end());
  append_number(static_cast<std::uint32_t>(::crc32(0, body.data(), static_cast<uInt>(body.size()))),
                png);
}

struct Kind {
  std::uint8_t colour;
  std::uint8_t depth;
};
constexpr std::array<Kind, 15> kKinds{{{0, 1},
                                       {0, 2},
                                       {0, 4},
                                       {0, 8},
                                       {0, 16},
                                       {2, 8},
                                       {2, 16},
                                       {3, 1},
                                       {3, 2},
                                       {3, 4},
                                       {3, 8},
                                       {4, 8},
                                       {4, 16},
                                       {6, 8},
                                       {6, 16}}};

std::size_t samples(std::uint8_t colour) {
  return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
}

/// Bytes of the rows of a part of width x height, each with its filter's byte.
std::size_t part_size(Kind kind, std::size_t width, std::size_t height) {
  return width == 0 || height == 0
             ? 0
             : height * (1 + (width * samples(kind.colour) * kind.depth + 7) / 8);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const Kind kind = kKinds[input.byte() % kKinds.size()];
  const auto width = static_cast<std::size_t>(input.number(1, 24));
  const auto height = static_cast<std::size_t>(input.number(1, 24));
  const bool interlaced = input.flag();
  const bool transparent = input.flag();
  const int orientation = input.byte();
  const auto bits = input.byte();

  Bytes png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  Bytes header;
  append_number(static_cast<std::uint32_t>(width), &header);
  append_number(static_cast<std::uint32_t>(height), &header);
  for (const int value : {int{kind.depth}, int{kind.colour}, 0, 0, interlaced ? 1 : 0})
    header.push_back(static_cast<std::uint8_t>(value));
  append_chunk("IHDR", header, &png);
  if (orientation <= 9) {
    append_chunk("eXIf", {'M', 'M',  0, 42, 0, 0, 0, 8, 0, 1,
                          1,   0x12, 0, 3,  0, 0, 0, 1, 0, static_cast<std::uint8_t>(orientation),
                          0,   0,    0, 0,  0, 0},
                 &png);
  }
  if (kind.colour == 3) {
    Bytes palette;
    for (int i = 0; i < 3 << kind.depth; ++i) palette.push_back(input.byte());
    append_chunk("PLTE", palette, &png);
  }
  if (transparent && (kind.colour == 0 || kind.colour == 2 || kind.colour == 3)) {
    Bytes key;
    for (std::size_t i = 0;
         i < (kind.colour == 3 ? std::size_t{1} << kind.depth : 2 * samples(kind.colour)); ++i) {
      // A sample's high byte is 0 where its depth is 8 or less.
      const std::uint8_t value = input.byte();
      const bool is_zero = kind.colour != 3 && kind.depth <= 8 && i % 2 == 0;
      key.push_back(is_zero                               ? 0
                    : kind.colour == 3 || kind.depth >= 8 ? value
                                                          : value & ((1U << kind.depth) - 1U));
    }
    append_chunk("tRNS", key, &png);
  }

  std::size_t raw_size = 0;
  std::vector<std::size_t> filters;  // where each row's is
  const auto add_part = [&](std::size_t columns, std::size_t rows) {
    const std::size_t part = part_size(kind, columns, rows);
    for (std::size_t row = 0; part > 0 && row < rows; ++row)
      filters.push_back(raw_size + row * (part / rows));
    raw_size += part;
  };
  if (interlaced) {
    const auto pass = [&](std::size_t x, std::size_t y, std::size_t across, std::size_t down) {
      add_part(width > x ? (width - x + across - 1) / across : 0,
               height > y ? (height - y + down - 1) / down : 0);
    };
    pass(0, 0, 8, 8);
    pass(4, 0, 8, 8);
    pass(0, 4, 4, 8);
    pass(2, 0, 4, 4);
    pass(0, 2, 2, 4);
    pass(1, 0, 2, 2);
    pass(0, 1, 1, 2);
  } else {
    add_part(width, height);
  }
  Bytes raw(raw_size);
  for (std::uint8_t& value : raw) value = input.byte();
  for (const std::size_t filter : filters) raw[filter] %= 5;
  uLongf packed_size = ::compressBound(static_cast<uLong>(raw.size()));
  Bytes packed(packed_size);
  fuzz::require(::compress2(packed.data(), &packed_size, raw.data(), static_cast<uLong>(raw.size()),
                            bits % 2) == Z_OK,
                "zlib packs");
  packed.resize(packed_size);
  // In one piece or two.
  const std::size_t half = bits % 4 < 2 ? 0 : packed.size() / 2;
  if (half > 0)
    append_chunk("IDAT", {packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(half)},
                 &png);
  append_chunk("IDAT", {packed.begin() + static_cast<std::ptrdiff_t>(half), packed.end()}, &png);
  append_chunk("IEND", {}, &png);

  const auto decode = [&](io::ImageChannels channels) {
    io::Image image;
    const bool taken = fuzz::accepts([&] {
      image = io::decode_image(fuzz::bytes_of(png.data(), png.size()), channels, "image");
    });
    fuzz::require(taken, "a well-formed PNG is read");
    return image;
  };
  const io::Image stored = decode(io::ImageChannels::kAsStored);
  const bool turned = orientation >= 5 && orientation <= 8;
  fuzz::require(static_cast<std::size_t>(turned ? stored.height : stored.width) == width &&
                    static_cast<std::size_t>(turned ? stored.width : stored.height) == height,
                "an image has the size of its header, turned upright");
  const bool has_alpha = kind.colour == 4 || kind.colour == 6;
  fuzz::require(!has_alpha || stored.channels == 4, "alpha is kept");
  const io::Image rgba = decode(io::ImageChannels::kRgba);
  fuzz::require(rgba.channels == 4, "channels are those asked for");
  if (stored.channels == 4) fuzz::require(stored == rgba, "an image with alpha is stored so");
  if (!has_alpha && !transparent) {
    for (std::size_t i = 3; i < rgba.pixels.size(); i += 4)
      fuzz::require(rgba.pixels[i] == 255, "what has no alpha is opaque");
  }
  return 0;
}
