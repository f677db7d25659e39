#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/span.h"
#include "io/atomic_file.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"

/// Reading and writing the safetensors format: 8 bytes of header length, a JSON header, then the
/// data.
namespace kandinsky::io {

/// A fully checked file: the tensors' bytes lie inside the file without gap or overlap and have the
/// length of dtype and shape. The tensors are in the order of their data, the metadata are the
/// header's "__metadata__".
class SafetensorsFile : public TensorFile {
 public:
  /// Throws Error: as InputFile::open; kCorruptFile for a truncated file, a header that is not
  /// JSON, exceeds base/limits.h, or contradicts itself or the file; kUnsupported for an element
  /// type that DType lacks. The message names the file and, if applicable, the tensor.
  static SafetensorsFile open(std::string_view path);

 private:
  using TensorFile::TensorFile;
};

/// A tensor to be written; its bytes come later.
struct TensorOutline {
  std::string_view name;
  DType dtype = DType::kF32;
  Span<const std::int64_t> shape;
};

/// Writes the tensors in the given order, the first at a multiple of 64 bytes, through a temporary
/// file and a rename. fill(i, write) writes the bytes of tensor i and is called once for each, in
/// order. Throws Error: kInvalidArgument when names repeat, a name is "__metadata__" or not
/// UTF-8, or bytes do not match dtype and shape; otherwise as write_file_atomically and as fill.
void write_safetensors(std::string_view path, Span<const TensorOutline> tensors,
                       Span<const MetadataEntry> metadata,
                       const std::function<void(std::size_t i, const WriteBytes& write)>& fill);

/// The same for tensors in memory.
void write_safetensors(std::string_view path, Span<const TensorView> tensors,
                       Span<const MetadataEntry> metadata = {});

}  // namespace kandinsky::io
