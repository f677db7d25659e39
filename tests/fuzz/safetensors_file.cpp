/// A weight file, as it is.
#include "fuzz/safetensors.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  file.write({reinterpret_cast<const char*>(data), size});
  fuzz::accepts(
      [&] { fuzz::check_safetensors(kandinsky::io::SafetensorsFile::open(file.path()), folder); });
  return 0;
}
