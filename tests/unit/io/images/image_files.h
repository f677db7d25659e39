/// Image files put together by hand.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/span.h"
#include "unit/io/images/test_images.h"

namespace kandinsky::io {

inline Span<const std::byte> view(const Bytes& bytes) {
  return std::as_bytes(Span<const std::uint8_t>(bytes));
}

inline Span<const std::byte> view(std::string_view text) {
  return std::as_bytes(Span<const char>(text.data(), text.size()));
}

inline std::string big_endian(std::uint32_t value) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(value >> shift));
  return out;
}

inline std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(crc));
}

/// A PNG put together by hand from rows that start with their filter byte.
inline std::string png_of(std::uint32_t width, std::uint32_t height, char depth, char color,
                          const std::string& rows, const std::string& palette = "") {
  uLongf size = ::compressBound(rows.size());
  std::string packed(size, '\0');
  EXPECT_EQ(::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                       reinterpret_cast<const Bytef*>(rows.data()), rows.size()),
            Z_OK);
  packed.resize(size);
  std::string header = big_endian(width) + big_endian(height) + depth + color;
  header += std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) +
         (palette.empty() ? "" : chunk("PLTE", palette)) + chunk("IDAT", packed) +
         chunk("IEND", "");
}

/// A JPEG header of 8 x 8 pixels with two colours, which no reader knows what to make of.
inline std::string jpeg_of_two_colours() {
  using namespace std::string_literals;
  return "\xFF\xD8\xFF\xC0\0\x0E\x08\0\x08\0\x08\2\1\x11\0\2\x11\0"s +
         "\xFF\xDA\0\x0A\2\1\0\2\0\0\x3F\0\xFF\xD9"s;
}

/// A JPEG of 8 x 8 pixels that all have these four values, as stored, in Adobe's CMYK.
inline std::string cmyk_jpeg(const std::array<int, 4>& values) {
  using namespace std::string_literals;
  // Bits of the image: per component the size and value of its mean, then the end of the block.
  std::string bits;
  for (const int value : values) {
    const int mean = value - 128;
    int size = 0;
    while (std::abs(mean) >> size != 0) ++size;
    const unsigned number = static_cast<unsigned>(mean < 0 ? mean + (1 << size) - 1 : mean);
    for (int i = 3; i >= 0; --i) bits += static_cast<char>('0' + (size >> i & 1));
    for (int i = size - 1; i >= 0; --i) bits += static_cast<char>('0' + (number >> i & 1U));
    bits += '0';
  }
  while (bits.size() % 8 != 0) bits += '1';
  std::string scan;
  for (std::size_t i = 0; i < bits.size(); i += 8) {
    scan += static_cast<char>(std::stoi(bits.substr(i, 8), nullptr, 2));
    if (scan.back() == '\xFF') scan += '\0';
  }
  const std::string means = "\0\0\0\x0C"s + std::string(12, '\0') + "\0\1\2\3\4\5\6\7\x8\x9\xA\xB"s;
  const std::string end_of_block = "\x10\1"s + std::string(15, '\0') + "\0"s;
  return "\xFF\xD8\xFF\xEE\0\x0E"
         "Adobe\0\x64\0\0\0\0\0"s +
         "\xFF\xDB\0\x43\0"s + std::string(64, '\x08') +
         "\xFF\xC0\0\x14\x08\0\x08\0\x08\x04\1\x11\0\2\x11\0\3\x11\0\4\x11\0"s +
         "\xFF\xC4\0\x1F\0"s + means + "\xFF\xC4\0\x14"s + end_of_block +
         "\xFF\xDA\0\x0E\4\1\0\2\0\3\0\4\0\0\x3F\0"s + scan + "\xFF\xD9"s;
}

}  // namespace kandinsky::io
