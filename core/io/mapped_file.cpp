#include "io/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"

namespace kandinsky::io {

struct MappedFile::Impl {
  std::string path;
  const std::byte* data = nullptr;
  std::size_t size = 0;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (data != nullptr) ::munmap(const_cast<std::byte*>(data), size);
  }
};

namespace {

/// Closes on every way out; a mapping outlives its descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

MappedFile MappedFile::open(std::string_view path) {
  if (path.empty()) throw Error(ErrorCode::kInvalidArgument, "the path of a file to read is empty");
  if (path.find('\0') != std::string_view::npos) {
    throw Error(ErrorCode::kInvalidArgument, "the path of a file to read contains a null byte");
  }
  auto impl = std::make_shared<Impl>();
  impl->path = std::string(path);
  // Not blocking: opening a pipe would otherwise wait for a writer for ever.
  const Descriptor fd(::open(impl->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    const int reason = errno;
    const bool missing = reason == ENOENT || reason == ENOTDIR;
    throw Error(missing ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument,
                missing ? fmt::format("{}: no such file", path)
                        : fmt::format("{}: cannot be read: {}", path, std::strerror(reason)));
  }
  struct ::stat status = {};
  if (::fstat(fd.get(), &status) != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: is {}, not a file", path,
                            S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  }
  // mmap refuses a length of 0; an empty file is an empty span.
  if (status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) {
      throw Error(ErrorCode::kOutOfMemory, fmt::format("{}: {} bytes cannot be mapped: {}", path,
                                                       size, std::strerror(errno)));
    }
    impl->data = static_cast<const std::byte*>(data);
    impl->size = size;
  }
  return MappedFile(std::move(impl));
}

Span<const std::byte> MappedFile::bytes() const noexcept { return {impl_->data, impl_->size}; }

void MappedFile::release(Span<const std::byte> part) const noexcept {
  if (part.empty()) return;
  // Whole pages, since a page that is shared with a neighbour would stay otherwise.
  const auto page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data()) & ~(page_size - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(part.data()) + part.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::string_view MappedFile::path() const noexcept { return impl_->path; }

}  // namespace kandinsky::io
