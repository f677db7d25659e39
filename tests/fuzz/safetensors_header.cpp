/// A weight file's header, with the length before it that fits: two bytes say how much data
/// follows.
#include "fuzz/safetensors.h"

namespace fuzz = kandinsky::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  fuzz::Input input(data, size);
  const int data_size = input.number(0, 4095);
  const std::string_view header = input.rest();
  std::string content(8, '\0');
  for (std::size_t i = 0; i < content.size(); ++i)
    content[i] = static_cast<char>(header.size() >> 8 * i);
  content += header;
  for (int i = 0; i < data_size; ++i) content.push_back(static_cast<char>(i));
  file.write(content);
  fuzz::accepts(
      [&] { fuzz::check_safetensors(kandinsky::io::SafetensorsFile::open(file.path()), folder); });
  return 0;
}
