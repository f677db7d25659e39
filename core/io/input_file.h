#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace kandinsky::io {

/// An open file, read piece by piece and only while it is the one that was opened. Nothing is
/// mapped into memory: of a mapping, a file that somebody shortens meanwhile takes the bytes away,
/// and the process ends with a bus error. Replacing it by rename, as our own writers do, leaves it
/// as it was. Cheap to copy; any thread may read.
class InputFile {
 public:
  /// Throws Error: kNotFound when there is no such file; kInvalidArgument for a folder, device,
  /// pipe or socket, and for a path with a null byte; kIo when the system does not let it be read.
  static InputFile open(std::string_view path);

  std::string_view path() const noexcept;
  /// In bytes, when it was opened.
  std::uint64_t size() const noexcept;

  /// Fills `to` with the bytes from `position` on, which must lie inside size(). Throws Error:
  /// kCorruptFile when the file was shortened, lengthened or written to since it was opened; kIo
  /// when reading fails.
  void read(std::uint64_t position, Span<std::byte> to) const;

  /// All of it. Throws as read(), and Error(kCorruptFile) for more bytes than that.
  std::vector<std::byte> read_all(std::uint64_t max_bytes) const;

 private:
  struct Impl;
  explicit InputFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Whether something is there, of whatever kind. Throws Error: kNotFound for a link to something
/// that is missing, kIo when the system does not tell.
bool is_there(std::string_view path);

/// Whether a folder is there. Throws alike.
bool is_folder(std::string_view path);

}  // namespace kandinsky::io
