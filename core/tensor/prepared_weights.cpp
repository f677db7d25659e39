#include "tensor/prepared_weights.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "base/span.h"
#include "io/cache_folder.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "tensor/cpu.h"
#include "tensor/device.h"
#include "tensor/packed_tensor.h"
#include "tensor/speedups.h"

namespace kandinsky::tensor {
namespace {

/// Of the files, and of what the kernels make of weights: a higher one when either changes.
constexpr int kVersion = 1;
constexpr std::string_view kKey = "made_for";
/// Of a cache line, and of the widest vector.
constexpr uint64_t kAlignment = 64;

constexpr uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::string entry_name(std::string_view name, std::string_view form) {
  return fmt::format("{} as {}", name, form);
}

/// A tensor beside an entry: how its bytes are to be understood.
std::string sizes_name(std::string_view entry) { return fmt::format("{}: type, sizes", entry); }
std::string layout_name(std::string_view entry) { return fmt::format("{}: layout", entry); }

std::string describe(std::string_view weights, const Placement& placement) {
  std::vector<std::string_view> without;
  for (const SpeedupInfo& speedup : speedups())
    if (!(placement.speedups.*speedup.flag)) without.emplace_back(speedup.name);
  return fmt::format(
      "version {}\nweights {}\n{}{}{}{}\nwithout {}\n{} threads\n{}\n{}", kVersion, weights,
      precision_name(placement.dtype), placement.small_tiles ? ", small tiles" : "",
      placement.few_rows ? ", few rows" : "", placement.int8_weights ? ", int8" : "",
      fmt::join(without, " "), at::get_num_threads(), at::show_config(), cpu_description());
}

Span<const std::byte> bytes_of(const at::Tensor& tensor) {
  if (tensor.is_mkldnn()) return bytes_of_packed(tensor);
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// [type, sizes...]
std::vector<int64_t> sizes_of(const at::Tensor& tensor) {
  std::vector<int64_t> sizes{static_cast<int64_t>(tensor.scalar_type())};
  sizes.insert(sizes.end(), tensor.sizes().begin(), tensor.sizes().end());
  return sizes;
}

at::Tensor layout_of(const at::Tensor& tensor) {
  return tensor.is_mkldnn() ? layout_of_packed(tensor).contiguous() : at::Tensor();
}

bool same_layout(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || a.equal(b));
}

/// What write() lists of an entry; the names of the file's tensors live in it.
struct Entry {
  std::string name;
  std::array<int64_t, 2> shape{};  ///< tensors, and bytes of each
  std::string sizes_name;
  std::vector<int64_t> sizes;
  int64_t num_sizes = 0;
  std::string layout_name;
  at::Tensor layout;
  int64_t layout_bytes = 0;
};

}  // namespace

bool can_prepare_weights() { return can_store_packed_tensors(); }

PreparedWeights::PreparedWeights(const io::CacheFolder& folder, std::string_view network,
                                 std::string_view weights, const Placement& placement)
    : folder_(folder), key_(describe(weights, placement)) {
  constexpr size_t kDigits = 16;
  const HexDigest digest = Sha256().add(key_).hex();
  file_name_ = fmt::format("{}-{}", network, view_of(digest).substr(0, kDigits));
  std::optional<io::TensorFile> file = folder_.open(file_name_);
  if (!file) return;
  const bool is_ours = std::ranges::any_of(file->metadata(), [&](const io::MetadataEntry& entry) {
    return entry.key == kKey && entry.value == key_;
  });
  if (!is_ours) return;
  bytes_ = file->file().map();
  file_ = std::move(file);
}

std::optional<std::vector<at::Tensor>> PreparedWeights::find(std::string_view name,
                                                             std::string_view form) const {
  if (!file_) return std::nullopt;
  const std::string entry = entry_name(name, form);
  const io::StoredTensor* const stored = file_->find(entry);
  const io::StoredTensor* const size = file_->find(sizes_name(entry));
  if (stored == nullptr || size == nullptr) return std::nullopt;
  std::vector<int64_t> sizes(size->size / sizeof(int64_t));
  if (sizes.empty() || stored->shape.size() != 2) return std::nullopt;
  std::memcpy(sizes.data(), bytes_.get() + size->position, sizes.size() * sizeof(int64_t));
  const auto dtype = static_cast<at::ScalarType>(sizes.front());
  sizes.erase(sizes.begin());
  const io::StoredTensor* const layout = file_->find(layout_name(entry));
  std::vector<at::Tensor> tensors;
  for (int64_t i = 0; i < stored->shape[0]; ++i) {
    const std::byte* const bytes = bytes_.get() + stored->position + i * stored->shape[1];
    if (layout != nullptr) {
      tensors.push_back(
          packed_in_place(bytes, sizes, dtype, {bytes_.get() + layout->position, layout->size}));
    } else {
      tensors.push_back(at::from_blob(
          const_cast<std::byte*>(bytes), sizes, [mapping = bytes_](void* /*data*/) {},
          at::TensorOptions().dtype(dtype)));
    }
  }
  return tensors;
}

void PreparedWeights::keep(std::string_view name, std::string_view form,
                           const std::vector<at::Tensor>& tensors) {
  if (file_ || tensors.empty()) return;
  const at::Tensor& first = tensors.front();
  const at::Tensor layout = layout_of(first);
  const bool are_alike = std::ranges::all_of(tensors, [&](const at::Tensor& tensor) {
    return sizes_of(tensor) == sizes_of(first) && same_layout(layout_of(tensor), layout) &&
           (tensor.is_mkldnn() || tensor.is_contiguous());
  });
  if (are_alike) news_.emplace(entry_name(name, form), tensors);
}

uint64_t PreparedWeights::write(const std::function<void()>& check) {
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const auto& [name, tensors] : news_) {
    Entry entry{.name = name,
                .shape = {static_cast<int64_t>(tensors.size()),
                          static_cast<int64_t>(aligned(bytes_of(tensors.front()).size()))},
                .sizes_name = sizes_name(name),
                .sizes = sizes_of(tensors.front()),
                .layout_name = layout_name(name),
                .layout = layout_of(tensors.front())};
    entry.num_sizes = static_cast<int64_t>(entry.sizes.size());
    if (entry.layout.defined()) entry.layout_bytes = static_cast<int64_t>(entry.layout.nbytes());
    // With the tensors beside it, and what the header says of all three.
    constexpr int64_t kHeaderBytes = 512;
    total += static_cast<uint64_t>(entry.shape[0] * entry.shape[1] + entry.layout_bytes +
                                   kHeaderBytes + 3 * static_cast<int64_t>(name.size()));
    entries.push_back(std::move(entry));
  }
  // The large ones first, so that all of them are aligned.
  std::vector<io::TensorOutline> outlines;
  std::vector<std::function<void(const io::WriteBytes& write)>> writers;
  for (const Entry& entry : entries) {
    outlines.push_back({.name = entry.name, .dtype = io::DType::kU8, .shape = entry.shape});
    writers.emplace_back([&](const io::WriteBytes& write) {
      const std::vector<std::byte> padding(kAlignment);
      for (const at::Tensor& tensor : news_.find(entry.name)->second) {
        check();
        const Span<const std::byte> bytes = bytes_of(tensor);
        write(bytes);
        write(Span<const std::byte>(padding).first(aligned(bytes.size()) - bytes.size()));
      }
    });
  }
  for (const Entry& entry : entries) {
    outlines.push_back(
        {.name = entry.sizes_name, .dtype = io::DType::kI64, .shape = {&entry.num_sizes, 1}});
    writers.emplace_back([&](const io::WriteBytes& write) {
      write(std::as_bytes(Span<const int64_t>(entry.sizes)));
    });
    if (!entry.layout.defined()) continue;
    outlines.push_back(
        {.name = entry.layout_name, .dtype = io::DType::kU8, .shape = {&entry.layout_bytes, 1}});
    writers.emplace_back([&](const io::WriteBytes& write) { write(bytes_of(entry.layout)); });
  }
  const io::MetadataEntry made_for{.key = kKey, .value = key_};
  folder_.write(file_name_, total, outlines, {&made_for, 1},
                [&](size_t i, const io::WriteBytes& write) { writers[i](write); });
  news_.clear();
  return total;
}

int64_t PreparedWeights::mapped_bytes() const {
  return file_ ? static_cast<int64_t>(file_->file().size()) : 0;
}

}  // namespace kandinsky::tensor
