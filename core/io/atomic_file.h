#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Takes the next bytes of a file that is being written.
using WriteBytes = std::function<void(Span<const std::byte> bytes)>;

/// Writes the output of `fill`, block by block, to a temporary file in path's folder, syncs it to
/// the disk, and renames it to path. So path always is the old file or the whole new one, even
/// after a power failure. Replaces an existing file. Throws Error:
/// kNotFound when the folder is missing; kInvalidArgument when path is empty, a folder, a device or
/// a pipe; kIo for system errors: no permission, a name that is too long, a full or
/// failing disk. The temporary file is removed in each case, also if fill throws.
void write_file_atomically(std::string_view path,
                           const std::function<void(const WriteBytes& write)>& fill);

/// The same for blocks in memory.
void write_file_atomically(std::string_view path, Span<const Span<const std::byte>> pieces);

/// Throws what write_file_atomically would throw before writing, so that an unusable path is
/// refused before the work. Leaves no file.
void check_writable(std::string_view path);

}  // namespace kandinsky::io
