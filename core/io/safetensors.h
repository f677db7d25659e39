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

/// An open file, checked as a whole: every tensor's bytes lie inside the file, follow each other
/// without gap or overlap, and have the length that dtype and shape ask for. Cheap to copy; views
/// stay valid as long as any copy lives, so a copy inside a tensor's deleter keeps the mapping
/// alive.
class SafetensorsFile {
 public:
  /// Throws Error: kNotFound and kInvalidArgument as MappedFile::open; kCorruptFile for a truncated
  /// file, a header that is no JSON or contradicts itself or the file; kUnsupported for an element
  /// type that DType lacks. The message names the file, and the tensor where it is about one.
  static SafetensorsFile open(std::string_view path);

  std::string_view path() const noexcept;

  /// All tensors, in the order of their data in the file.
  Span<const TensorView> tensors() const noexcept;

  /// The tensor of that name, or null. The pointer lives as long as the views.
  const TensorView* find(std::string_view name) const noexcept;

  Span<const MetadataEntry> metadata() const noexcept;

  /// As MappedFile's, for the data of one of this file's tensors.
  void release(const TensorView& tensor) const noexcept;

 private:
  struct Impl;
  explicit SafetensorsFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Writes the tensors in the given order, the first at a multiple
/// of 8 bytes, through a temporary file and a
/// rename. Throws Error: kInvalidArgument when names repeat, a name is "__metadata__" or no UTF-8,
/// or bytes do not match dtype and shape; otherwise as write_file_atomically.
void write_safetensors(std::string_view path, Span<const TensorView> tensors,
                       Span<const MetadataEntry> metadata = {});

}  // namespace kandinsky::io
