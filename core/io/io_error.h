#pragma once

#include <string_view>

namespace kandinsky::io {

/// Throws "<path>: <failure>: <the system's message>" as Error(kIo), or kOutOfMemory for ENOMEM;
/// for a missing file or folder "<path>: <missing>" as Error(kNotFound). reason: an errno.
[[noreturn]] void throw_io_error(std::string_view path, std::string_view failure,
                                 std::string_view missing, int reason);

/// Throws Error(kInvalidArgument) for a path that no system call accepts. what: e.g. "a file to
/// read".
void check_path(std::string_view path, std::string_view what);

}  // namespace kandinsky::io
