#include "jobs/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "kandinsky.hpp"

namespace kandinsky::jobs {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18U;
constexpr mode_t kNewFile = 0666;  // less the process's umask

[[noreturn]] void fail(const std::string& path, const char* what) {
  const int error = errno;
  const kandinsky_status status = error == ENOENT || error == ENOTDIR ? KANDINSKY_NOT_FOUND
                                  : error == EISDIR                   ? KANDINSKY_INVALID_ARGUMENT
                                                                      : KANDINSKY_IO;
  throw StatusError(status, fmt::format("{}: {}: {}", path, what, std::strerror(error)));
}

}  // namespace

File::File(const std::string& path, int flags)
    : path_(path), number_(::open(path.c_str(), flags | O_CLOEXEC, kNewFile)) {
  const bool is_written = (flags & (O_WRONLY | O_RDWR)) != 0;
  if (number_ < 0) fail(path, is_written ? "cannot be written" : "cannot be read");
}

File::~File() { ::close(number_); }

struct ::stat File::status() const {
  struct ::stat status = {};
  if (::fstat(number_, &status) != 0) fail(path_, "cannot be read");
  return status;
}

std::uint64_t File::size() const { return static_cast<std::uint64_t>(status().st_size); }

bool File::is_regular() const { return S_ISREG(status().st_mode); }

std::string File::read(std::uint64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(number_, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path_, "cannot be read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

void File::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(number_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "cannot be written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void read_file(const std::string& path, std::uint64_t most,
               const std::function<void(std::string_view)>& piece) {
  const File file(path, O_RDONLY | O_NONBLOCK);  // a pipe without a writer would block
  if (!file.is_regular())
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      path + ": is a folder, a pipe or a device; expected a file");
  for (std::uint64_t offset = 0;;) {
    const std::string bytes = file.read(offset, kPiece);
    if (bytes.empty()) return;
    offset += bytes.size();
    if (offset > most) {
      throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                        fmt::format("{}: more than {} bytes are too many", path, most));
    }
    piece(bytes);
  }
}

std::string read_file(const std::string& path, std::uint64_t most) {
  std::string bytes;
  read_file(path, most, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

}  // namespace kandinsky::jobs
