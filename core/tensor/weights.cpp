#include "tensor/weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/out_of_memory.h"
#include "base/sha256.h"
#include "base/span.h"
#include "io/tensor_file.h"
#include "io/weights_digest.h"
#include "tensor/adapters.h"
#include "tensor/bridge.h"
#include "tensor/convert.h"
#include "tensor/prepared_weights.h"
#include "tensor/scratch.h"

namespace kandinsky::tensor {
namespace {

/// "a, b, c and 40 more": enough names to recognise the kind of file.
std::string some_of(const std::set<std::string>& names) {
  constexpr size_t kShown = 5;
  std::vector<std::string> shown(names.begin(),
                                 std::next(names.begin(), std::min(names.size(), kShown)));
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

bool is_floating(io::DType dtype) {
  return dtype == io::DType::kF64 || dtype == io::DType::kF32 || dtype == io::DType::kF16 ||
         dtype == io::DType::kBF16;
}

bool same_but_trailing_ones(Span<const int64_t> file, at::IntArrayRef wanted) {
  if (file.size() < wanted.size()) return false;
  for (size_t i = 0; i < file.size(); ++i) {
    if (file[i] != (i < wanted.size() ? wanted[i] : 1)) return false;
  }
  return true;
}

}  // namespace

struct Weights::Entry {
  const io::TensorFile* file;
  const io::StoredTensor* stored;
};

struct Weights::Files {
  std::string folder;
  std::vector<io::TensorFile> files;
  std::map<std::string, Entry, std::less<>> entries;
};

struct Weights::State {
  std::shared_ptr<const Files> files;
  Placement placement{};
  std::set<std::string> taken{};
  std::set<std::string> found_finite{};
  std::set<std::string> missing{};
  std::set<std::string> misshapen{};
  std::vector<std::string> ignored_prefixes{};
  std::shared_ptr<PreparedWeights> kept{};
  Scratch lent{};  ///< for lend()
  size_t bytes_since_trim = 0;
};

Weights Weights::open(const io::ComponentFiles& component, Placement placement) {
  auto files = std::make_shared<Files>();
  files->folder = std::string(component.folder());
  for (const std::string_view path : component.weights())
    files->files.push_back(io::open_weight_file(path));
  for (const io::TensorFile& file : files->files) {
    for (const io::StoredTensor& stored : file.tensors()) {
      const bool is_new =
          files->entries.emplace(std::string(stored.name), Entry{&file, &stored}).second;
      if (!is_new) {
        throw Error(ErrorCode::kCorruptFile, fmt::format("{}: tensor \"{}\" stands in two files",
                                                         files->folder, stored.name));
      }
    }
  }
  if (placement.adapters != nullptr) {
    for (const auto& [name, entry] : files->entries)
      placement.adapters->know(name, entry.stored->shape, files->folder);
  }
  return {std::make_shared<State>(State{.files = std::move(files), .placement = placement}), ""};
}

Weights Weights::anew(Placement placement, std::shared_ptr<PreparedWeights> kept) const {
  State state{.files = state_->files, .placement = placement};
  state.kept = std::move(kept);
  return {std::make_shared<State>(std::move(state)), ""};
}

Weights Weights::scope(std::string_view name) const {
  return {state_, fmt::format("{}{}.", prefix_, name), has_values_};
}

Weights Weights::scope(std::string_view name, int64_t index) const {
  return {state_, fmt::format("{}{}.{}.", prefix_, name, index), has_values_};
}

bool Weights::has(std::string_view name) const {
  return state_->files->entries.contains(fmt::format("{}{}", prefix_, name));
}

const Weights::Entry* Weights::find(std::initializer_list<std::string_view> names,
                                    at::IntArrayRef shape) const {
  const Files& files = *state_->files;
  for (const std::string_view name : names) {
    const std::string full = fmt::format("{}{}", prefix_, name);
    const auto found = files.entries.find(full);
    if (found == files.entries.end()) continue;
    state_->taken.insert(full);
    const io::StoredTensor& stored = *found->second.stored;
    if (!is_floating(stored.dtype)) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: tensor \"{}\" is {}; quantised weights are not supported",
                              files.folder, full, io::dtype_name(stored.dtype)));
    }
    if (!same_but_trailing_ones(stored.shape, shape)) {
      state_->misshapen.insert(fmt::format("{} is [{}], expected [{}]", full,
                                           fmt::join(stored.shape, ", "), fmt::join(shape, ", ")));
      check_stand_in(shape);
      return nullptr;
    }
    return &found->second;
  }
  state_->missing.insert(fmt::format("{}{}", prefix_, *names.begin()));
  check_stand_in(shape);
  return nullptr;
}

void Weights::check_stand_in(at::IntArrayRef shape) const {
  // A config may have very many layers: list only the first missing ones.
  constexpr size_t kMostMissing = 500;
  // The size in bytes must fit into 64 bits, even for a tensor without values.
  if (state_->missing.size() > kMostMissing ||
      !io::tensor_byte_size(io::DType::kF64, {shape.data(), shape.size()})) {
    throw_unfit({});
  }
}

at::Tensor Weights::place(const Entry& entry, at::IntArrayRef shape, std::string_view name,
                          Keep keep) const {
  const Placement& placement = state_->placement;
  const std::string full = fmt::format("{}{}", prefix_, name);
  // Streamed weights are read at each use.
  const bool is_known = state_->found_finite.contains(full);
  at::Tensor placed;
  bool finite = true;
  const at::Tensor added =
      placement.adapters != nullptr ? placement.adapters->delta(full) : at::Tensor();
  if (added.defined()) {
    // In fp32, so that the addition is not rounded away.
    const at::Tensor sum =
        read_tensor(*entry.file, *entry.stored).to(at::kFloat).view(shape).add_(added.view(shape));
    placed = placement.device.is_cpu() ? allocate(shape, placement.dtype, keep).copy_(sum)
                                       : sum.to(placement.device, placement.dtype);
    finite = is_known || is_finite(placed);
  } else if (placement.device.is_cpu()) {
    const bool stays = keep == Keep::kStored && entry.stored->dtype != io::DType::kF64;
    placed = allocate(shape, stays ? scalar_type(entry.stored->dtype) : placement.dtype, keep);
    const auto element_size = static_cast<int64_t>(io::dtype_size(entry.stored->dtype));
    finite = read_converted(
        [&](int64_t begin, const at::Tensor& piece) {
          entry.file->read(*entry.stored, static_cast<uint64_t>(begin * element_size),
                           {static_cast<std::byte*>(piece.mutable_data_ptr()), piece.nbytes()});
        },
        scalar_type(entry.stored->dtype), placed,
        is_known ? FiniteCheck::kSkip : FiniteCheck::kCheck);
  } else {
    placed =
        read_tensor(*entry.file, *entry.stored).view(shape).to(placement.device, placement.dtype);
    finite = is_known || is_finite(placed);
  }
  if (!finite) throw_not_finite(entry, full);
  state_->found_finite.insert(full);
  return placed;
}

at::Tensor Weights::allocate(at::IntArrayRef shape, at::ScalarType dtype, Keep keep) const {
  // A larger one would stay during later packing, when memory use is highest.
  constexpr size_t kMostLent = size_t{48} << 20U;
  const size_t bytes = static_cast<size_t>(c10::multiply_integers(shape)) * c10::elementSize(dtype);
  if (keep == Keep::kLent && bytes <= kMostLent) return state_->lent.lend(shape, dtype);
  // Tensors that are converted and then packed leave holes in the heap that the next ones do
  // not fit into: a network of small layers would take a third more memory at loading.
  constexpr size_t kBytesBetweenTrims = size_t{100} << 20U;
  state_->bytes_since_trim += bytes;
  if (state_->bytes_since_trim > kBytesBetweenTrims) {
    trim_heap();
    state_->bytes_since_trim = 0;
  }
  return at::empty(shape, at::TensorOptions().dtype(dtype));
}

void Weights::throw_not_finite(const Entry& entry, const std::string& name) const {
  const bool overflow = is_finite(read_tensor(*entry.file, *entry.stored));
  throw Error(
      overflow ? ErrorCode::kUnsupported : ErrorCode::kCorruptFile,
      overflow ? fmt::format("{}: tensor \"{}\" does not fit into {}; use another precision",
                             state_->files->folder, name, precision_name(state_->placement.dtype))
               : fmt::format("{}: tensor \"{}\" holds values that are not finite numbers; the "
                             "file is damaged",
                             state_->files->folder, name));
}

at::Tensor Weights::get(std::initializer_list<std::string_view> names, at::IntArrayRef shape,
                        Keep keep) const {
  check_address_space();
  const Entry* const entry = find(names, shape);
  if (!has_values_)
    return at::empty(shape, at::TensorOptions().device(at::kMeta).dtype(state_->placement.dtype));
  if (entry != nullptr) return place(*entry, shape, *names.begin(), keep);
  const auto options =
      at::TensorOptions().device(state_->placement.device).dtype(state_->placement.dtype);
  return at::zeros({1}, options).expand(shape);
}

at::Tensor Weights::take(std::initializer_list<std::string_view> names,
                         at::IntArrayRef shape) const {
  return get(names, shape, Keep::kOwned);
}

at::Tensor Weights::take(std::string_view name, at::IntArrayRef shape) const {
  return get({name}, shape, Keep::kOwned);
}

at::Tensor Weights::take_stored(std::string_view name, at::IntArrayRef shape) const {
  return get({name}, shape, Keep::kStored);
}

at::Tensor Weights::lend(std::string_view name, at::IntArrayRef shape) const {
  return get({name}, shape, Keep::kLent);
}

std::vector<at::Tensor> Weights::prepared(
    std::string_view name, at::IntArrayRef shape, std::string_view form,
    const std::function<std::vector<at::Tensor>()>& make) const {
  if (state_->kept == nullptr || !has_values_) return make();
  check_address_space();
  const std::string full = fmt::format("{}{}", prefix_, name);
  if (find({name}, shape) != nullptr) {
    if (auto kept = state_->kept->find(full, form)) return *std::move(kept);
  }
  std::vector<at::Tensor> made = make();
  state_->kept->keep(full, form, made);
  return made;
}

struct StoredTable::Source {
  io::TensorFile file;
  const io::StoredTensor* stored;
};

StoredTable Weights::table(std::string_view name, at::IntArrayRef shape) const {
  const Entry* const entry = find({name}, shape);
  if (entry == nullptr) return StoredTable(nullptr);  // finish() reports it
  return StoredTable(std::make_shared<const StoredTable::Source>(
      StoredTable::Source{.file = *entry->file, .stored = entry->stored}));
}

at::Tensor StoredTable::rows(const at::Tensor& ids) const {
  const io::StoredTensor& stored = *source_->stored;
  const int64_t count = stored.shape[0];
  const int64_t width = stored.shape[1];
  const at::Tensor numbers = ids.to(at::kCPU, at::kLong).contiguous().view(-1);
  at::Tensor rows = at::empty({numbers.numel(), width}, scalar_type(stored.dtype));
  const auto row_bytes = static_cast<size_t>(rows.stride(0)) * rows.element_size();
  auto* const bytes = static_cast<std::byte*>(rows.mutable_data_ptr());
  for (int64_t i = 0; i < numbers.numel(); ++i) {
    const int64_t id = numbers.const_data_ptr<int64_t>()[i];
    if (id < 0 || id >= count)
      throw Error(ErrorCode::kInternal, fmt::format("row {} of a table of {}", id, count));
    source_->file.read(stored, static_cast<uint64_t>(id) * row_bytes,
                       {bytes + static_cast<size_t>(i) * row_bytes, row_bytes});
  }
  std::vector<int64_t> shape = ids.sizes().vec();
  shape.push_back(width);
  return rows.view(shape);
}

void Weights::ignore(std::string_view prefix) const {
  state_->ignored_prefixes.push_back(fmt::format("{}{}", prefix_, prefix));
}

void Weights::finish() const {
  state_->lent.release();
  std::set<std::string> unknown;
  for (const auto& [name, entry] : state_->files->entries) {
    const bool ignored =
        std::any_of(state_->ignored_prefixes.begin(), state_->ignored_prefixes.end(),
                    [&name = name](const std::string& prefix) { return name.starts_with(prefix); });
    if (!ignored && !state_->taken.contains(name)) unknown.insert(name);
  }
  if (!state_->missing.empty() || !state_->misshapen.empty() || !unknown.empty())
    throw_unfit(unknown);
}

void Weights::throw_unfit(const std::set<std::string>& unknown) const {
  std::vector<std::string> faults;
  if (!state_->missing.empty())
    faults.push_back(fmt::format("missing tensors: {}", some_of(state_->missing)));
  if (!state_->misshapen.empty())
    faults.push_back(fmt::format("tensors of another shape: {}", some_of(state_->misshapen)));
  if (!unknown.empty()) faults.push_back(fmt::format("unknown tensors: {}", some_of(unknown)));
  // Names in the first releases of these networks.
  constexpr std::array<std::string_view, 4> kOriginal{"input_blocks.", "transformer.resblocks.",
                                                      "model.transformer.", "encoder.down."};
  const bool is_original = std::ranges::any_of(state_->files->entries, [&](const auto& entry) {
    return std::ranges::any_of(kOriginal, [&](std::string_view part) {
      return std::string_view(entry.first).starts_with(part);
    });
  });
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: the weights do not fit the {}: {}{}", state_->files->folder,
                          is_original ? "names of diffusers" : "config", fmt::join(faults, "; "),
                          is_original ? "; `kandinsky convert` makes a model folder of original "
                                        "checkpoints"
                                      : ""));
}

std::string Weights::adapters() const {
  if (state_->placement.adapters == nullptr) return {};
  return state_->placement.adapters->key_for(
      [&](std::string_view name) { return state_->files->entries.contains(name); });
}

Placement Weights::placement() const { return state_->placement; }

std::string Weights::digest() const {
  return std::string(view_of(io::digest_files(Span<const io::TensorFile>(state_->files->files))));
}

const std::string& Weights::folder() const { return state_->files->folder; }

std::vector<TensorSize> Weights::sizes() const {
  std::vector<TensorSize> sizes;
  for (const auto& [name, entry] : state_->files->entries) {
    if (!is_floating(entry.stored->dtype)) continue;
    const auto bytes = static_cast<int64_t>(entry.stored->size);
    const Span<const int64_t> shape = entry.stored->shape;
    sizes.push_back({.name = name,
                     .elements = bytes / static_cast<int64_t>(io::dtype_size(entry.stored->dtype)),
                     .shape = {shape.begin(), shape.end()},
                     .stored_bytes = bytes});
  }
  return sizes;
}

Weights Weights::without_values() const { return {state_, prefix_, false}; }

}  // namespace kandinsky::tensor
