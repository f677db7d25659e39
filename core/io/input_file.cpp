#include "io/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/span.h"
#include "io/io_error.h"

namespace kandinsky::io {
namespace {

using Status = struct ::stat;

[[noreturn]] void throw_errno(std::string_view path, int reason) {
  throw_io_error(path, "cannot be read", "no such file", reason);
}

const char* kind_of(const Status& status) {
  if (S_ISDIR(status.st_mode)) return "a folder";
  if (S_ISSOCK(status.st_mode)) return "a socket";
  return S_ISFIFO(status.st_mode) ? "a pipe" : "a device";
}

void check_regular(std::string_view path, const Status& status) {
  if (S_ISREG(status.st_mode)) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{}: is {}, not a file", path, kind_of(status)));
}

/// Empty if it does not exist.
std::optional<Status> status_of(std::string_view path_view) {
  const std::string path(path_view);
  Status status = {};
  if (::stat(path.c_str(), &status) == 0) return status;
  const int reason = errno;
  if (reason != ENOENT && reason != ENOTDIR) throw_errno(path, reason);
  if (reason == ENOENT && ::lstat(path.c_str(), &status) == 0) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: is a link to something that is missing; perhaps an incomplete "
                            "download",
                            path));
  }
  return std::nullopt;
}

}  // namespace

struct InputFile::Impl {
  std::string path;
  int fd = -1;
  Status opened = {};

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (fd >= 0) ::close(fd);
  }

  [[noreturn]] void throw_changed(std::string_view how) const {
    throw Error(
        ErrorCode::kCorruptFile,
        fmt::format("{}: {} while it is in use; load the model or the file again", path, how));
  }

  /// Permissions, links and names may change, the content may not.
  void check_unchanged() const {
    Status now = {};
    if (::fstat(fd, &now) != 0) throw_errno(path, errno);
    if (now.st_size != opened.st_size) {
      throw_changed(
          fmt::format("its size changed from {} to {} bytes", opened.st_size, now.st_size));
    }
    if (now.st_mtim.tv_sec != opened.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != opened.st_mtim.tv_nsec) {
      throw_changed("it was written to");
    }
  }
};

InputFile::InputFile(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

InputFile InputFile::open(std::string_view path) {
  check_path(path, "a file to read");
  // First, since opening a device or a pipe may have side effects.
  if (const std::optional<Status> status = status_of(path)) check_regular(path, *status);
  auto impl = std::make_shared<Impl>();
  impl->path = std::string(path);
  // Not blocking, in case a pipe has just replaced it: open() would wait for a writer.
  impl->fd = ::open(impl->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (impl->fd < 0) throw_errno(path, errno);
  if (::fstat(impl->fd, &impl->opened) != 0) throw_errno(path, errno);
  check_regular(path, impl->opened);
  return InputFile(std::move(impl));
}

std::string_view InputFile::path() const noexcept { return impl_->path; }

std::uint64_t InputFile::size() const noexcept {
  return static_cast<std::uint64_t>(impl_->opened.st_size);
}

InputFile::State InputFile::state() const noexcept {
  const Status& opened = impl_->opened;
  return {static_cast<std::uint64_t>(opened.st_dev), static_cast<std::uint64_t>(opened.st_ino),
          size(), static_cast<std::uint64_t>(opened.st_mtim.tv_sec),
          static_cast<std::uint64_t>(opened.st_mtim.tv_nsec)};
}

void InputFile::read(std::uint64_t position, Span<std::byte> to) const {
  // Linux reads at most 2 GB at a time.
  constexpr std::size_t kChunk = std::size_t{1} << 30U;
  while (!to.empty()) {
    const ssize_t got =
        ::pread(impl_->fd, to.data(), std::min(to.size(), kChunk), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(impl_->path, errno);
    if (got == 0) break;  // truncated, as the check will find
    position += static_cast<std::uint64_t>(got);
    to = to.subspan(static_cast<std::size_t>(got));
  }
  // Afterwards, so that changes before and during the reading are detected.
  impl_->check_unchanged();
  if (!to.empty()) impl_->throw_changed("its end is missing");
}

bool InputFile::is_own() const noexcept {
  return impl_->opened.st_uid == ::geteuid() && (impl_->opened.st_mode & S_IWOTH) == 0;
}

void InputFile::touch() const noexcept {
  // The other time tells of changes.
  const std::array<struct ::timespec, 2> times{{{0, UTIME_NOW}, {0, UTIME_OMIT}}};
  ::futimens(impl_->fd, times.data());
}

std::shared_ptr<const std::byte> InputFile::map() const {
  const auto length = static_cast<std::size_t>(size());
  void* const address = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, impl_->fd, 0);
  if (address == MAP_FAILED) throw_errno(impl_->path, errno);
  const std::shared_ptr<const std::byte> mapping(
      static_cast<const std::byte*>(address),
      [address, length](const std::byte* /*bytes*/) { ::munmap(address, length); });
  ::madvise(address, length, MADV_WILLNEED);  // only advice
  impl_->check_unchanged();
  return mapping;
}

std::vector<std::byte> InputFile::read_all(std::uint64_t max_bytes) const {
  if (size() > max_bytes) {
    throw Error(ErrorCode::kCorruptFile, fmt::format("{}: {} bytes are too many, at most {}",
                                                     impl_->path, size(), max_bytes));
  }
  std::vector<std::byte> bytes(size());
  read(0, bytes);
  return bytes;
}

bool is_there(std::string_view path) { return status_of(path).has_value(); }

bool is_folder(std::string_view path) {
  const std::optional<Status> status = status_of(path);
  return status && S_ISDIR(status->st_mode);
}

}  // namespace kandinsky::io
