#include "jobs/digests.h"

#include <cstddef>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

std::string sha256(std::string_view text) { return std::string(view_of(Sha256().add(text).hex())); }

std::string sha256_of_file(const std::string& path, std::uint64_t most) {
  Sha256 hash;
  read_file(path, most, [&](std::string_view piece) { hash.add(piece); });
  return std::string(view_of(hash.hex()));
}

std::string model_hash(const std::string& dir) {
  constexpr std::size_t kDigits = 10;
  return folder_digest(dir).substr(0, kDigits);
}

}  // namespace kandinsky::jobs
