#include "io/cache_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"

namespace kandinsky::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".safetensors";
constexpr double kGigabyte = 1e9;
/// What was used since belongs to what is in use: if it does not fit as a whole, deleting one of
/// its files for another would go on at each start. A process that still writes has touched its
/// file more recently, too.
constexpr std::time_t kRecent = 3600;

struct CachedFile {
  fs::path path;
  std::uint64_t bytes = 0;
  std::time_t used = 0;
};

/// Ours, which also are those that an interrupted process left half written.
std::vector<CachedFile> files_in(const std::string& folder) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    struct ::stat status = {};
    if (::lstat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const bool is_part = name.starts_with(".kandinsky-") && name.ends_with(".part");
    if (is_part && status.st_mtim.tv_sec < std::time(nullptr) - kRecent) {
      fs::remove(it->path(), error);
    } else if (name.ends_with(kEnding)) {
      files.push_back({.path = it->path(),
                       .bytes = static_cast<std::uint64_t>(status.st_size),
                       .used = std::max(status.st_atim.tv_sec, status.st_mtim.tv_sec)});
    }
  }
  return files;
}

}  // namespace

struct CacheFolder::Impl {
  std::string path;
  std::uint64_t most_bytes = 0;

  std::string path_of(std::string_view name) const {
    return fmt::format("{}/{}{}", path, name, kEnding);
  }

  void make_room(std::uint64_t bytes) const {
    std::vector<CachedFile> files = files_in(path);
    std::ranges::sort(files, {}, &CachedFile::used);
    const std::time_t recent = std::time(nullptr) - kRecent;
    std::uint64_t total = bytes;
    std::uint64_t least = bytes;
    for (const CachedFile& file : files) {
      total += file.bytes;
      if (file.used > recent) least += file.bytes;
    }
    if (least > most_bytes) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: {:.1f} GB more, with what was used in the last hour {:.1f} GB, "
                              "are above the limit of {:.1f} GB",
                              path, static_cast<double>(bytes) / kGigabyte,
                              static_cast<double>(least) / kGigabyte,
                              static_cast<double>(most_bytes) / kGigabyte));
    }
    std::error_code error;
    for (const CachedFile& file : files) {
      if (total <= most_bytes) break;
      fs::remove(file.path, error);
      total -= file.bytes;
    }
    const fs::space_info space = fs::space(path, error);
    if (!error && space.available < bytes) {
      throw Error(ErrorCode::kIo,
                  fmt::format("{}: the disk has {:.1f} GB left, {:.1f} GB are needed", path,
                              static_cast<double>(space.available) / kGigabyte,
                              static_cast<double>(bytes) / kGigabyte));
    }
  }
};

CacheFolder::CacheFolder(std::string_view path, std::uint64_t most_bytes)
    : impl_(std::make_shared<Impl>(Impl{.path = std::string(path), .most_bytes = most_bytes})) {}

std::string_view CacheFolder::path() const noexcept { return impl_->path; }

std::optional<TensorFile> CacheFolder::open(std::string_view name) const {
  try {
    SafetensorsFile file = SafetensorsFile::open(impl_->path_of(name));
    if (!file.file().is_own()) return std::nullopt;
    file.file().touch();
    return file;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kOutOfMemory) throw;
    return std::nullopt;
  }
}

void CacheFolder::write(
    std::string_view name, std::uint64_t bytes, Span<const TensorOutline> tensors,
    Span<const MetadataEntry> metadata,
    const std::function<void(std::size_t i, const WriteBytes& write)>& fill) const {
  std::error_code error;
  fs::create_directories(impl_->path, error);  // a failure shows in writing
  impl_->make_room(bytes);
  write_safetensors(impl_->path_of(name), tensors, metadata, fill);
}

}  // namespace kandinsky::io
