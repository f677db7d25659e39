#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Writes the pieces one after another to a temporary file beside path and renames it to path, so
/// that the old file or the whole new one is there, never a part. Replaces an existing file. Throws
/// Error: kNotFound when the folder is missing; kInvalidArgument when path is empty, a folder or
/// not writable, or the disk is full or fails. The temporary file is gone in each case.
void write_file_atomically(std::string_view path, Span<const Span<const std::byte>> pieces);

}  // namespace kandinsky::io
