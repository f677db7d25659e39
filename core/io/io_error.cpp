#include "io/io_error.h"

#include <fmt/format.h>
#include <locale.h>
#include <string.h>

#include <cerrno>
#include <clocale>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace kandinsky::io {
namespace {

/// In English, in any locale of the host: strerror() and std::error_code follow its
/// locale.
const char* system_message(int reason) {
  // Only "C" always exists; it needs no memory to free.
  static const locale_t no_language = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return ::strerror_l(reason, no_language);
}

}  // namespace

void throw_io_error(std::string_view path, std::string_view failure, std::string_view missing,
                    int reason) {
  if (reason == ENOENT || reason == ENOTDIR)
    throw Error(ErrorCode::kNotFound, fmt::format("{}: {}", path, missing));
  throw Error(reason == ENOMEM ? ErrorCode::kOutOfMemory : ErrorCode::kIo,
              fmt::format("{}: {}: {}", path, failure, system_message(reason)));
}

void check_path(std::string_view path, std::string_view what) {
  if (!path.empty() && path.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the path of {} is empty or contains a null byte", what));
}

}  // namespace kandinsky::io
