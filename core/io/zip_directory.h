#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/span.h"
#include "io/input_file.h"

namespace kandinsky::io {

/// A file in a ZIP archive.
struct ZipEntry {
  std::string_view name;
  std::uint64_t position = 0;  ///< of its first byte in the archive
  std::uint64_t size = 0;
};

/// The entries of an uncompressed ZIP archive, as PyTorch writes it. Everything was
/// checked: unique names that stay inside the archive, and data without overlap.
/// Cheap to copy; names are valid as long as any copy.
class ZipDirectory {
 public:
  /// Throws Error: kCorruptFile for an archive that is truncated, contradicts itself or exceeds
  /// base/limits.h; kUnsupported for compressed or encrypted files in it; as
  /// InputFile::read.
  static ZipDirectory open(const InputFile& file);

  /// In the order of the archive's list.
  Span<const ZipEntry> entries() const noexcept;

  /// The entry of that name, or null.
  const ZipEntry* find(std::string_view name) const noexcept;

 private:
  struct Impl;
  explicit ZipDirectory(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::io
