/// A weight file's header, with the length before it that fits: two bytes say how much data
/// follows.
#include "fuzz/safetensors.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  fuzz::Input input(data, size);
  file.write(fuzz::safetensors_of(&input));
  fuzz::accepts(
      [&] { fuzz::check_safetensors(kandinsky::io::SafetensorsFile::open(file.path()), folder); });
  return 0;
}
