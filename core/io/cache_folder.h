#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/span.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"

namespace kandinsky::io {

/// A folder of safetensors files that can be made again at any time: of limited size in total,
/// safe to delete, for several processes. The file system's times of access tell which were not
/// used for longest. Cheap to copy.
class CacheFolder {
 public:
  /// The folder is created when the first file is written.
  CacheFolder(std::string_view path, std::uint64_t most_bytes);

  std::string_view path() const noexcept;

  /// The file of that name, which is now the last used one. Empty if there is none, if it is
  /// damaged, or if others could have written it.
  std::optional<TensorFile> open(std::string_view name) const;

  /// Writes a file as write_safetensors does, of about so many bytes; first deletes files that were
  /// not used for longest, and not in the last hour, as far as the limit demands. Throws Error:
  /// kUnsupported if it does not fit into the limit even so, kIo for a disk without that much
  /// space; otherwise as write_safetensors.
  void write(std::string_view name, std::uint64_t bytes, Span<const TensorOutline> tensors,
             Span<const MetadataEntry> metadata,
             const std::function<void(std::size_t i, const WriteBytes& write)>& fill) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace kandinsky::io
