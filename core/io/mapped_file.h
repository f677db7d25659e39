#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// A file mapped read-only into memory. Cheap to copy: copies share the mapping, which ends with
/// the last. Somebody who shortens the file meanwhile makes later reads of the lost part fail with
/// a bus error, as with any mapping; replacing it by rename, as our own writers do, is safe.
class MappedFile {
 public:
  /// Throws Error: kNotFound when there is no such file; kInvalidArgument for a folder or device,
  /// for a path with a null byte and for a file that may not be read; kOutOfMemory when it cannot
  /// be mapped.
  static MappedFile open(std::string_view path);

  /// Valid as long as any copy of this object lives; empty for an empty file.
  Span<const std::byte> bytes() const noexcept;
  std::string_view path() const noexcept;

  /// Gives the pages of `part`, a part of bytes(), back to the machine. They stay readable: a later
  /// touch reads them again, mostly from the machine's own cache of the file.
  void release(Span<const std::byte> part) const noexcept;

 private:
  struct Impl;
  explicit MappedFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::io
