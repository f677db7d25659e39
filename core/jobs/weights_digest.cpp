#include "jobs/weights_digest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "jobs/files.h"
#include "jobs/sha256.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPieces = 16;
constexpr std::uint64_t kPiece = std::uint64_t{64} << 10U;
constexpr std::size_t kDigits = 10;
/// In the names of files that count only where a component has no others, as for the engine.
constexpr std::string_view kVariant = ".fp16.";

std::vector<fs::path> sorted_entries(const fs::path& dir) {
  std::error_code error;
  std::vector<fs::path> entries;
  fs::directory_iterator entry(dir, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    entries.push_back(entry->path());
  if (error) {
    throw StatusError(KANDINSKY_IO,
                      fmt::format("{}: cannot be read: {}", dir.string(), error.message()));
  }
  std::ranges::sort(entries);
  return entries;
}

std::vector<fs::path> weight_files(const fs::path& dir) {
  std::vector<fs::path> files;
  for (const fs::path& component : sorted_entries(dir)) {
    if (!fs::is_directory(component)) continue;
    const std::vector<fs::path> entries = sorted_entries(component);
    for (const char* suffix : {".safetensors", ".bin"}) {
      std::vector<fs::path> all;
      std::vector<fs::path> plain;
      for (const fs::path& file : entries) {
        if (file.extension() != suffix) continue;
        all.push_back(file);
        if (file.filename().string().find(kVariant) == std::string::npos) plain.push_back(file);
      }
      const std::vector<fs::path>& counted = plain.empty() ? all : plain;
      files.insert(files.end(), counted.begin(), counted.end());
      if (!counted.empty()) break;
    }
  }
  return files;
}

}  // namespace

std::string weights_digest(const std::string& dir) {
  Sha256 hash;
  for (const fs::path& path : weight_files(dir)) {
    const File file(path.string(), O_RDONLY);
    const std::uint64_t size = file.size();
    hash.add(fmt::format("{}:{}\n", fs::relative(path, dir).generic_string(), size));
    const std::uint64_t last = size > kPiece ? size - kPiece : 0;
    std::set<std::uint64_t> starts;
    for (std::uint64_t piece = 0; piece < kPieces; ++piece)
      starts.insert(last * piece / (kPieces - 1));
    for (const std::uint64_t start : starts) hash.add(file.read(start, kPiece));
  }
  return hash.hex().substr(0, kDigits);
}

}  // namespace kandinsky::jobs
