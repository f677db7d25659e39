#include "io/png_text.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace kandinsky::io {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

void append_big_endian(std::uint32_t value, std::vector<std::uint8_t>* out) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out->push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

/// A whole PNG text chunk: tEXt where Latin-1 is enough, else iTXt, both uncompressed, as PIL
/// writes them.
std::vector<std::uint8_t> parameters_chunk(std::string_view text) {
  if (text.size() > limits::kMaxImageTextBytes) {
    refuse(fmt::format("the parameters text has {} bytes, at most {} fit into a picture",
                       text.size(), limits::kMaxImageTextBytes));
  }
  if (text.find('\0') != std::string_view::npos) {
    refuse("the parameters text contains a null character");
  }
  if (find_invalid_utf8(text) != std::string_view::npos) {
    refuse("the parameters text is not valid UTF-8");
  }
  const std::vector<char32_t> characters = decode_utf8(text);
  const bool latin1 = std::ranges::all_of(characters, [](char32_t c) { return c <= 0xFF; });

  constexpr std::string_view kKeyword("parameters\0", 11);
  // iTXt: not compressed, method 0, no language, no translated keyword.
  constexpr std::string_view kITxtFields("\0\0\0\0", 4);
  std::string body(latin1 ? "tEXt" : "iTXt");
  body += kKeyword;
  if (!latin1) body += kITxtFields;
  if (latin1) {
    for (const char32_t c : characters) body.push_back(static_cast<char>(c));
  } else {
    body += text;
  }

  constexpr std::size_t kTypeBytes = 4;
  std::vector<std::uint8_t> chunk;
  chunk.reserve(body.size() + 8);
  append_big_endian(static_cast<std::uint32_t>(body.size() - kTypeBytes), &chunk);
  chunk.insert(chunk.end(), body.begin(), body.end());
  const uLong crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  append_big_endian(static_cast<std::uint32_t>(crc), &chunk);
  return chunk;
}

}  // namespace

void insert_png_parameters(std::string_view text, std::vector<std::uint8_t>* png) {
  constexpr std::ptrdiff_t kAfterHeader = 8 + 4 + 4 + 13 + 4;
  const std::vector<std::uint8_t> chunk = parameters_chunk(text);
  if (png->size() <= static_cast<std::size_t>(kAfterHeader)) {
    throw Error(ErrorCode::kInternal, "the PNG encoder made a file without a header");
  }
  png->insert(png->begin() + kAfterHeader, chunk.begin(), chunk.end());
}

}  // namespace kandinsky::io
