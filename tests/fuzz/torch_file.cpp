/// A PyTorch checkpoint, as it is.
#include "io/torch_file.h"

#include "fuzz/safetensors.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  file.write({reinterpret_cast<const char*>(data), size});
  fuzz::accepts([&] {
    const auto opened = kandinsky::io::TorchFile::open(file.path());
    std::uint64_t bytes = 0;
    for (const auto& tensor : opened.tensors()) {
      fuzz::require(tensor.position <= size && tensor.size <= size - tensor.position,
                    "a tensor lies in the file");
      bytes += tensor.size;
    }
    // Tensors may share their elements: what a copy takes has no bound.
    if (bytes <= 4 * size) fuzz::check_tensors(opened, folder);
  });
  return 0;
}
