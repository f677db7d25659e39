#include "io/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/span.h"
#include "io/io_error.h"

namespace kandinsky::io {
namespace {

constinit std::atomic<unsigned> g_counter{0};

[[noreturn]] void throw_errno(std::string_view path, int reason) {
  throw_io_error(path, "cannot be written", "cannot be written: the folder does not exist", reason);
}

/// The folder's part of a path, with its slash.
std::string_view folder_of(std::string_view path) {
  return path.substr(0, path.rfind('/') + 1);  // npos + 1 is 0
}

/// A file that removes itself unless it has been renamed to its final name.
class TemporaryFile {
 public:
  TemporaryFile(std::string_view target, mode_t mode) : target_(target) {
    // Not by mkstemp, which creates files that only the owner can read. And the name does not
    // contain the target's, which may have the maximum length.
    constexpr int kAttempts = 100;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      name_ = fmt::format("{}.kandinsky-{}-{}.part", folder_of(target), ::getpid(),
                          g_counter.fetch_add(1));
      fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      if (fd_ >= 0) return;
      if (errno != EEXIST) throw_errno(target_, errno);
    }
    throw_errno(target_, EEXIST);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!renamed_) ::unlink(name_.c_str());
  }

  void write(Span<const std::byte> bytes) {
    // Linux writes at most 2 GB at a time.
    constexpr std::size_t kChunk = std::size_t{1} << 30U;
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kChunk));
      if (written < 0) {
        if (errno == EINTR) continue;
        throw_errno(target_, errno);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void commit() {
    // A file system may put the new name on the disk before the bytes: after a power failure the
    // old file would be gone and the new one empty. Some cannot sync, and return an error.
    if (::fsync(fd_) != 0 && errno != EINVAL && errno != ENOTSUP) throw_errno(target_, errno);
    const int fd = fd_;
    fd_ = -1;
    // Some file systems report a full disk only here.
    if (::close(fd) != 0) throw_errno(target_, errno);
    if (std::rename(name_.c_str(), target_.c_str()) != 0) throw_errno(target_, errno);
    renamed_ = true;
  }

 private:
  std::string target_;
  std::string name_;
  int fd_ = -1;
  bool renamed_ = false;
};

/// Opens the temporary file, unless the path cannot be a file.
TemporaryFile create(std::string_view path) {
  check_path(path, "a file to write");
  const std::string target(path);
  struct ::stat status = {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  // Errors other than "does not exist", such as a name that is too long, are final.
  if (!exists && errno != ENOENT) throw_errno(path, errno);
  if (path.back() == '/' || (exists && S_ISDIR(status.st_mode))) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: cannot be written: it is a folder, a file name is needed", path));
  }
  if (exists && !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: cannot be written: it is a device or pipe, not a file", path));
  }
  // A rename would bypass the write protection of the replaced file.
  if (exists && ::access(target.c_str(), W_OK) != 0) throw_errno(path, errno);
  constexpr mode_t kNewFile = 0666;  // less the process's umask
  return {path, exists ? (status.st_mode & 0777U) : kNewFile};
}

}  // namespace

void write_file_atomically(std::string_view path,
                           const std::function<void(const WriteBytes& write)>& fill) {
  TemporaryFile file = create(path);
  fill([&](Span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

void write_file_atomically(std::string_view path, Span<const Span<const std::byte>> pieces) {
  write_file_atomically(path, [&](const WriteBytes& write) {
    for (const Span<const std::byte> piece : pieces) write(piece);
  });
}

void check_writable(std::string_view path) { create(path); }

}  // namespace kandinsky::io
