#include "cli/read_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "jobs/limits.h"

namespace kandinsky::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw StatusError(KANDINSKY_INVALID_ARGUMENT, message);
}

[[noreturn]] void fail_to_read(const std::string& name) {
  throw StatusError(KANDINSKY_IO,
                    fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

bool is_pipe(const std::string& path) {
  struct ::stat status = {};
  return ::stat(path.c_str(), &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

/// Everything until the other side closes. name: for messages.
std::vector<std::uint8_t> read_all(int file, const std::string& name,
                                   const std::function<void()>& check) {
  constexpr std::size_t kPiece = std::size_t{1} << 16U;
  constexpr int kMillisecondsBetweenChecks = 100;
  std::vector<std::uint8_t> bytes;
  for (std::size_t size = 0;;) {
    check();
    pollfd waited = {.fd = file, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, kMillisecondsBetweenChecks) == 0) continue;
    bytes.resize(size + kPiece);
    const ssize_t got = ::read(file, bytes.data() + size, kPiece);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) fail_to_read(name);
    size += static_cast<std::size_t>(got);
    bytes.resize(size);
    if (got == 0) return bytes;
    if (size > jobs::kMaxImageFileBytes) {
      refuse(fmt::format("{}: an image file may have {} bytes at most", name,
                         jobs::kMaxImageFileBytes));
    }
  }
}

}  // namespace

Image ImageReader::read(const std::string& option, const std::string& path) {
  if (path == "-") {
    const std::string name = option + " -";
    if (std::exchange(has_read_standard_input_, true))
      refuse(name + ": standard input was already read by another option");
    if (::isatty(STDIN_FILENO) != 0)
      refuse(name + ": standard input is a terminal; pipe an image file into it");
    return Image::decode(read_all(STDIN_FILENO, name, check_), name);
  }
  if (!is_pipe(path)) return Image::load(path);
  // Not blocking: a pipe without a writer would block everything, including Ctrl-C.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) fail_to_read(path);
  return Image::decode(read_all(file.number(), path, check_), path);
}

}  // namespace kandinsky::cli
