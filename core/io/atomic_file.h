#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Takes the next bytes of a file that is being written.
using WriteBytes = std::function<void(Span<const std::byte> bytes)>;

/// Writes what `fill` gives, one piece after another, to a temporary file in path's folder, has the
/// system put them on the disk, and renames it to path, so that the old file or the whole new one
/// is there, never a part, also after a power cut. Replaces an existing file. Throws Error:
/// kNotFound when the folder is missing; kInvalidArgument when path is empty, a folder, a device or
/// a pipe; kIo when the system does not let it: no permission, a name that is too long, a full or
/// failing disk. The temporary file is gone in each case, also where fill throws.
void write_file_atomically(std::string_view path,
                           const std::function<void(const WriteBytes& write)>& fill);

/// The same for pieces in memory.
void write_file_atomically(std::string_view path, Span<const Span<const std::byte>> pieces);

/// Throws what write_file_atomically would throw before it writes anything, so that a place where
/// nothing can be written is refused before the work. Leaves nothing behind.
void check_writable(std::string_view path);

}  // namespace kandinsky::io
