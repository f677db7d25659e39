#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"
#include "io/tensor_file.h"

namespace kandinsky::io {

/// A checkpoint of torch.save (.bin, .ckpt, .pt, .pth, .th): a pickle of a dictionary of
/// tensors and their data, in a ZIP archive or, before PyTorch 1.6, one after another. The pickle
/// is read as data: nothing is imported or called. The tensors are those of the
/// dictionary, or of its entry "state_dict", in its order; those of a list are named
/// "0", "1" and so on. Plain values beside them, such as step counts, are ignored.
class TorchFile : public TensorFile {
 public:
  /// Whether a file that begins with these four bytes has this format.
  static bool recognizes(Span<const std::byte> head) noexcept;

  /// Throws Error: as InputFile::open; kCorruptFile for a file that is truncated, contradicts
  /// itself, or exceeds base/limits.h; kUnsupported for other objects than tensors, for
  /// non-contiguous tensors, and for compressed archives. The message names the file and, if
  /// applicable, the tensor.
  static TorchFile open(std::string_view path);

 private:
  using TensorFile::TensorFile;
};

}  // namespace kandinsky::io
