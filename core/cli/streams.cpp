#include "cli/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace kandinsky::cli {
namespace {

constinit int g_print_error = 0;

/// Writes all of the text. Returns errno on failure, else 0.
int write_all(int file, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd waited = {.fd = file, .events = POLLOUT, .revents = 0};
      ::poll(&waited, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/// Text for standard error, buffered so that a line is written at once, and without heap memory,
/// which may have run out.
class Line {
 public:
  ~Line() { flush(); }
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void add(std::string_view text) noexcept {
    for (const char c : text) {
      if (size_ == buffer_.size()) flush();
      buffer_[size_++] = c;
    }
  }

 private:
  void flush() noexcept {
    write_all(STDERR_FILENO, {buffer_.data(), size_});
    size_ = 0;
  }

  std::array<char, 4096> buffer_ = {};
  std::size_t size_ = 0;
};

/// Whether `text` begins with a control character beyond ASCII: U+0080 to U+009F.
bool begins_with_c1(std::string_view text) noexcept {
  return text.size() > 1 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
}

void add_escaped(Line& line, unsigned char c) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  line.add("\\x");
  line.add(kDigits.substr(c >> 4U, 1));
  line.add(kDigits.substr(c & 0xFU, 1));
}

}  // namespace

void reserve_descriptors() noexcept {
  constexpr int kCannot = 1;
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    // With the opposite mode, so that reading and writing still fail as before.
    const int mode = number == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode) != number) ::_exit(kCannot);
  }
}

void say(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

void say_line(std::string_view message) noexcept {
  Line line;
  line.add("kandinsky: ");
  for (std::size_t i = 0; i < message.size(); ++i) {
    const auto c = static_cast<unsigned char>(message[i]);
    if (c == '\n' || c == '\r' || c == '\t') {
      line.add(" ");
    } else if (c < 0x20 || c == 0x7F) {
      add_escaped(line, c);
    } else if (begins_with_c1(message.substr(i))) {
      add_escaped(line, static_cast<unsigned char>(message[++i]));
    } else {
      line.add(message.substr(i, 1));
    }
  }
  line.add("\n");
}

void print(std::string_view text) noexcept {
  const int error = write_all(STDOUT_FILENO, text);
  if (g_print_error == 0) g_print_error = error;
}

int print_error() noexcept {
  errno = 0;
  if (g_print_error == 0 && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0))
    g_print_error = errno != 0 ? errno : EIO;
  return g_print_error;
}

}  // namespace kandinsky::cli
