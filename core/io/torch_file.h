#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"
#include "io/tensor_file.h"

namespace kandinsky::io {

/// A checkpoint as torch.save writes it (.bin, .ckpt, .pt, .pth, .th): a pickle of a dictionary of
/// tensors and their data, in a ZIP archive or, before PyTorch 1.6, one after another. The pickle
/// is read as data: nothing that it names is imported or called. The tensors are those of the
/// dictionary, or of the one that it holds as "state_dict", in its order; those of a list are named
/// "0", "1" and on. Plain values beside them, such as numbers of steps, are passed over.
class TorchFile : public TensorFile {
 public:
  /// Whether a file that begins with these four bytes is to be read so.
  static bool recognizes(Span<const std::byte> head) noexcept;

  /// Throws Error: as InputFile::open; kCorruptFile for a truncated file, one that contradicts
  /// itself, or is over the caps in base/limits.h; kUnsupported for what torch.save writes of
  /// other things than tensors, for tensors that are not stored row by row, and for compressed
  /// archives. The message names the file, and the tensor where it is about one.
  static TorchFile open(std::string_view path);

 private:
  using TensorFile::TensorFile;
};

}  // namespace kandinsky::io
