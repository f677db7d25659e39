#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kandinsky::jobs {

/// SHA-256 of bytes that come in pieces. Source: FIPS 180-4.
class Sha256 {
 public:
  Sha256& add(const void* bytes, std::size_t size);
  Sha256& add(std::string_view text) { return add(text.data(), text.size()); }

  /// 64 lower-case digits. Nothing may be added after it.
  std::string hex();

 private:
  void add_block(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::uint64_t size_ = 0;  ///< bytes so far
};

/// Of a text.
std::string sha256(std::string_view text);

/// Of a file. Throws StatusError(KANDINSKY_IO), KANDINSKY_NOT_FOUND where there is none.
std::string sha256_of_file(const std::string& path);

}  // namespace kandinsky::jobs
