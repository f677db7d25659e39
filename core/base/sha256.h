#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kandinsky {

/// 64 lower-case digits.
using HexDigest = std::array<char, 64>;

inline std::string_view view_of(const HexDigest& digest) { return {digest.data(), digest.size()}; }

/// Incremental SHA-256. Source: FIPS 180-4.
class Sha256 {
 public:
  Sha256& add(const void* bytes, std::size_t size);
  Sha256& add(std::string_view text) { return add(text.data(), text.size()); }

  /// Nothing may be added afterwards.
  HexDigest hex();

 private:
  void add_block(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::uint64_t size_ = 0;  ///< bytes so far
};

}  // namespace kandinsky
