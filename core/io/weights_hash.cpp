#include "io/weights_hash.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "io/input_file.h"

namespace kandinsky::io {

std::uint32_t hash_weights(Span<const std::string_view> files) {
  constexpr std::uint64_t kPieces = 16;
  constexpr std::uint64_t kPieceBytes = 64U << 10U;
  std::vector<unsigned char> bytes(kPieceBytes);
  std::uint32_t hash = 0;
  const auto add = [&](std::uint64_t size) {
    hash = static_cast<std::uint32_t>(::crc32(hash, bytes.data(), static_cast<uInt>(size)));
  };
  for (const std::string_view path : files) {
    const InputFile file = InputFile::open(path);
    std::uint64_t rest = file.size();
    for (std::size_t i = 0; i < sizeof rest; ++i, rest >>= 8U) bytes[i] = rest & 0xFFU;
    add(sizeof rest);
    const std::uint64_t size = std::min(kPieceBytes, file.size());
    for (std::uint64_t i = 0; i < kPieces; ++i) {
      file.read((file.size() - size) / (kPieces - 1) * i,
                std::as_writable_bytes(Span<unsigned char>(bytes).first(size)));
      add(size);
    }
  }
  return hash;
}

}  // namespace kandinsky::io
