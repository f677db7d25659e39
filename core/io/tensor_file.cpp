#include "io/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/span.h"
#include "io/input_file.h"
#include "io/safetensors.h"
#include "io/torch_file.h"

namespace kandinsky::io {

struct TensorFile::Impl {
  explicit Impl(InputFile opened) : file(std::move(opened)) {}

  InputFile file;
  std::vector<std::string> texts;  ///< storage of the views below, as are the dimensions
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<StoredTensor> tensors;
  std::vector<MetadataEntry> metadata;
  std::unordered_map<std::string_view, std::size_t> index;

  std::string_view keep(std::string_view text) { return texts.emplace_back(text); }
};

TensorFile::TensorFile(InputFile file, Span<const StoredTensor> tensors,
                       Span<const MetadataEntry> metadata) {
  auto impl = std::make_shared<Impl>(std::move(file));
  impl->texts.reserve(tensors.size() + 2 * metadata.size());  // so that they do not move
  impl->shapes.reserve(tensors.size());
  impl->tensors.reserve(tensors.size());
  impl->index.reserve(tensors.size());
  for (StoredTensor tensor : tensors) {
    tensor.name = impl->keep(tensor.name);
    tensor.shape = impl->shapes.emplace_back(tensor.shape.begin(), tensor.shape.end());
    impl->index.emplace(tensor.name, impl->tensors.size());
    impl->tensors.push_back(tensor);
  }
  for (const MetadataEntry& entry : metadata)
    impl->metadata.push_back({impl->keep(entry.key), impl->keep(entry.value)});
  impl_ = std::move(impl);
}

std::string_view TensorFile::path() const noexcept { return impl_->file.path(); }

const InputFile& TensorFile::file() const noexcept { return impl_->file; }

Span<const StoredTensor> TensorFile::tensors() const noexcept { return impl_->tensors; }

const StoredTensor* TensorFile::find(std::string_view name) const noexcept {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? nullptr : &impl_->tensors[found->second];
}

Span<const MetadataEntry> TensorFile::metadata() const noexcept { return impl_->metadata; }

void TensorFile::read(const StoredTensor& tensor, std::uint64_t offset, Span<std::byte> to) const {
  impl_->file.read(tensor.position + offset, to);
}

TensorFile open_weight_file(std::string_view path) {
  if (path.ends_with(".safetensors")) return SafetensorsFile::open(path);
  std::array<std::byte, 4> head{};
  const InputFile file = InputFile::open(path);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(head.size(), file.size()));
  file.read(0, Span<std::byte>(head).first(size));
  return TorchFile::recognizes(Span<const std::byte>(head).first(size))
             ? static_cast<TensorFile>(TorchFile::open(path))
             : SafetensorsFile::open(path);
}

}  // namespace kandinsky::io
