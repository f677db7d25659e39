#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/span.h"
#include "io/input_file.h"
#include "io/tensor_view.h"

namespace kandinsky::io {

/// A metadata entry of a file, such as of a safetensors header's "__metadata__".
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

/// An open file of named tensors, in any format, each stored contiguously, row-major and
/// little-endian. Cheap to copy; names and shapes are valid as long as any copy. Any thread may
/// read.
class TensorFile {
 public:
  /// For the formats' readers: copies the views' contents. Names must differ, and each tensor's
  /// bytes must lie inside the file.
  TensorFile(InputFile file, Span<const StoredTensor> tensors,
             Span<const MetadataEntry> metadata = {});

  std::string_view path() const noexcept;

  const InputFile& file() const noexcept;

  Span<const StoredTensor> tensors() const noexcept;

  /// The tensor of that name, or null. The pointer is valid as long as the names.
  const StoredTensor* find(std::string_view name) const noexcept;

  Span<const MetadataEntry> metadata() const noexcept;

  /// Fills `to` with the bytes of one of this file's tensors from `offset` on, which must lie
  /// inside it. Throws as InputFile::read.
  void read(const StoredTensor& tensor, std::uint64_t offset, Span<std::byte> to) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Opens a weight file: as safetensors by its name, else by its first bytes, a
/// PyTorch checkpoint or safetensors. Throws Error as SafetensorsFile::open and TorchFile::open.
TensorFile open_weight_file(std::string_view path);

}  // namespace kandinsky::io
