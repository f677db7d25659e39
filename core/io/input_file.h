#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/span.h"

namespace kandinsky::io {

/// An open file, read in blocks and only while it is unchanged. Replacing the file by rename, as
/// our own writers do, does not affect it. Cheap to copy; any thread may read.
class InputFile {
 public:
  /// Throws Error: kNotFound when there is no such file; kInvalidArgument for a folder, device,
  /// pipe or socket, and for a path with a null byte; kIo when it cannot be read.
  static InputFile open(std::string_view path);

  std::string_view path() const noexcept;
  /// In bytes, when it was opened.
  std::uint64_t size() const noexcept;

  /// Device, inode, size, and the time of the last write in seconds and nanoseconds, when it was
  /// opened: others for a file that is written again, in place or by rename.
  using State = std::array<std::uint64_t, 5>;
  State state() const noexcept;

  /// Fills `to` with the bytes from `position` on, which must lie inside size(). Throws Error:
  /// kCorruptFile when the file was changed since it was opened; kIo when reading fails.
  void read(std::uint64_t position, Span<std::byte> to) const;

  /// Whether it belongs to this process's user, and not everybody may write to it.
  bool is_own() const noexcept;

  /// All of it in the address space, as long as the result lives. Only for own files that are
  /// always replaced by rename: if a mapped file is truncated, or the disk fails, the process ends
  /// with a bus error. Throws as read().
  std::shared_ptr<const std::byte> map() const;

  /// Sets the time of its last use, if that is permitted.
  void touch() const noexcept;

  /// All of it. Throws as read(), and Error(kCorruptFile) for more bytes than that.
  std::vector<std::byte> read_all(std::uint64_t max_bytes) const;

 private:
  struct Impl;
  explicit InputFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Whether the path exists, as any kind of file. Throws Error: kNotFound for a dangling link, kIo
/// for a system error.
bool is_there(std::string_view path);

/// Whether the path is a folder. Throws alike.
bool is_folder(std::string_view path);

}  // namespace kandinsky::io
