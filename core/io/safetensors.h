#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/span.h"
#include "io/tensor_view.h"

/// Reading and writing the safetensors format: 8 bytes of header length, a JSON header, then the
/// data.
namespace kandinsky::io {

/// One entry of the header's "__metadata__" object.
struct MetadataEntry {
  std::string_view key;
  std::string_view value;
};

/// One tensor of a file.
struct StoredTensor {
  std::string_view name;
  DType dtype = DType::kF32;
  Span<const std::int64_t> shape;  ///< Each >= 0; an empty shape is a scalar.
  std::uint64_t position = 0;      ///< of its first byte in the file
  std::uint64_t size = 0;          ///< product(shape) * dtype_size(dtype), in bytes
};

/// An open file, checked as a whole: every tensor's bytes lie inside the file, follow each other
/// without gap or overlap, and have the length that dtype and shape ask for. Cheap to copy; names
/// and shapes stay valid as long as any copy lives. Any thread may read.
class SafetensorsFile {
 public:
  /// Throws Error: as InputFile::open; kCorruptFile for a truncated file, a header that is no JSON,
  /// is over the caps in base/limits.h, or contradicts itself or the file; kUnsupported for an
  /// element type that DType lacks. The message names the file, and the tensor where it is about
  /// one.
  static SafetensorsFile open(std::string_view path);

  std::string_view path() const noexcept;

  /// All tensors, in the order of their data in the file.
  Span<const StoredTensor> tensors() const noexcept;

  /// The tensor of that name, or null. The pointer lives as long as the names.
  const StoredTensor* find(std::string_view name) const noexcept;

  Span<const MetadataEntry> metadata() const noexcept;

  /// Fills `to` with the bytes of one of this file's tensors from `offset` on, which must lie
  /// inside it. Throws as InputFile::read.
  void read(const StoredTensor& tensor, std::uint64_t offset, Span<std::byte> to) const;

 private:
  struct Impl;
  explicit SafetensorsFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Writes the tensors in the given order, the first at a multiple of 8 bytes, through a temporary
/// file and a rename. Throws Error: kInvalidArgument when names repeat, a name is "__metadata__" or
/// no UTF-8, or bytes do not match dtype and shape; otherwise as write_file_atomically.
void write_safetensors(std::string_view path, Span<const TensorView> tensors,
                       Span<const MetadataEntry> metadata = {});

}  // namespace kandinsky::io
