/// The pickle of a PyTorch checkpoint, with eight storages of 64 bytes beside it.
#include <string>

#include "fuzz/safetensors.h"
#include "io/torch_file.h"

namespace fuzz = kandinsky::fuzz;

namespace {

template <typename... Numbers>
std::string little(int bytes, Numbers... numbers) {
  std::string text;
  for (const std::uint64_t number : {static_cast<std::uint64_t>(numbers)...}) {
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
  }
  return text;
}

/// A ZIP archive that stores its files.
class Archive {
 public:
  void add(const std::string& name, const std::string& content) {
    const std::string common = little(2, 0, 0, 0, 0) +
                               little(4, 0, content.size(), content.size()) +
                               little(2, name.size(), 0);
    list_ += little(4, 0x02014b50) + little(2, 0, 0) + common + little(2, 0, 0, 0) +
             little(4, 0, text_.size()) + name;
    text_ += little(4, 0x04034b50) + little(2, 0) + common + name + content;
    ++count_;
  }
  std::string text() const {
    return text_ + list_ + little(4, 0x06054b50) + little(2, 0, 0, count_, count_) +
           little(4, list_.size(), text_.size()) + little(2, 0);
  }

 private:
  std::string text_;
  std::string list_;
  int count_ = 0;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  static const fuzz::MemoryFile file;
  Archive archive;
  archive.add("x/data.pkl", {reinterpret_cast<const char*>(data), size});
  for (int i = 0; i < 8; ++i) archive.add("x/data/" + std::to_string(i), std::string(64, '\7'));
  file.write(archive.text());
  fuzz::accepts([&] {
    const auto opened = kandinsky::io::TorchFile::open(file.path());
    std::uint64_t bytes = 0;
    for (const auto& tensor : opened.tensors()) bytes += tensor.size;
    if (bytes <= 64 * 64) fuzz::check_tensors(opened, folder);
  });
  return 0;
}
