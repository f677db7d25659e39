#include "io/io_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace kandinsky::io {

void throw_io_error(std::string_view path, std::string_view failure, std::string_view missing,
                    int reason) {
  if (reason == ENOENT || reason == ENOTDIR)
    throw Error(ErrorCode::kNotFound, fmt::format("{}: {}", path, missing));
  throw Error(reason == ENOMEM ? ErrorCode::kOutOfMemory : ErrorCode::kIo,
              fmt::format("{}: {}: {}", path, failure,
                          std::error_code(reason, std::generic_category()).message()));
}

void check_path(std::string_view path, std::string_view what) {
  if (!path.empty() && path.find('\0') == std::string_view::npos) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the path of {} is empty or contains a null byte", what));
}

}  // namespace kandinsky::io
