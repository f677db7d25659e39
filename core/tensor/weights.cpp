#include "tensor/weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "io/safetensors.h"
#include "tensor/bridge.h"
#include "tensor/convert.h"
#include "tensor/room.h"

namespace kandinsky::tensor {
namespace {

struct Entry {
  const io::SafetensorsFile* file;
  const io::TensorView* view;
};

/// "a, b, c and 40 more": an error message names enough to see what kind of file it is.
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

struct Weights::State {
  Placement placement;
  std::string folder;
  std::vector<io::SafetensorsFile> files;
  std::map<std::string, Entry, std::less<>> entries;
  std::set<std::string> taken;
  std::set<std::string> found_finite;
  std::set<std::string> missing;
  std::set<std::string> misshapen;
  std::vector<std::string> ignored_prefixes;
  Room lent;  ///< for what lend() gives
  size_t bytes_since_trim = 0;
};

Weights Weights::open(const io::ComponentFiles& files, Placement placement) {
  auto state = std::make_shared<State>();
  state->placement = placement;
  state->folder = std::string(files.folder());
  for (const std::string_view path : files.weights())
    state->files.push_back(io::SafetensorsFile::open(path));
  for (const io::SafetensorsFile& file : state->files) {
    for (const io::TensorView& view : file.tensors()) {
      const bool is_new =
          state->entries.emplace(std::string(view.name), Entry{&file, &view}).second;
      if (!is_new) {
        throw Error(ErrorCode::kCorruptFile,
                    fmt::format("{}: tensor \"{}\" stands in two files", state->folder, view.name));
      }
    }
  }
  return {std::move(state), ""};
}

Weights Weights::scope(std::string_view name) const {
  return {state_, fmt::format("{}{}.", prefix_, name), has_values_};
}

Weights Weights::scope(std::string_view name, int64_t index) const {
  return {state_, fmt::format("{}{}.{}.", prefix_, name, index), has_values_};
}

bool Weights::has(std::string_view name) const {
  return state_->entries.contains(fmt::format("{}{}", prefix_, name));
}

at::Tensor Weights::find(std::initializer_list<std::string_view> names,
                         at::IntArrayRef shape) const {
  for (const std::string_view name : names) {
    const std::string full = fmt::format("{}{}", prefix_, name);
    const auto found = state_->entries.find(full);
    if (found == state_->entries.end()) continue;
    state_->taken.insert(full);
    const io::TensorView& view = *found->second.view;
    if (!is_floating(view.dtype)) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: tensor \"{}\" is {}; quantised weights are not supported",
                              state_->folder, full, io::dtype_name(view.dtype)));
    }
    if (!same_but_trailing_ones(view.shape, shape)) {
      state_->misshapen.insert(fmt::format("{} is [{}], expected [{}]", full,
                                           fmt::join(view.shape, ", "), fmt::join(shape, ", ")));
      return {};
    }
    return from_view(*found->second.file, view).view(shape);
  }
  state_->missing.insert(fmt::format("{}{}", prefix_, *names.begin()));
  return {};
}

at::Tensor Weights::place(const at::Tensor& mapped, std::string_view name, Keep keep) const {
  const Placement& placement = state_->placement;
  const std::string full = fmt::format("{}{}", prefix_, name);
  // Streamed weights come by at each use.
  const bool is_known = state_->found_finite.contains(full);
  at::Tensor placed;
  bool finite = true;
  if (placement.device.is_cpu() && mapped.scalar_type() != placement.dtype) {
    placed = room_for(mapped, keep);
    finite = convert(mapped, placed);
  } else {
    placed = mapped.to(placement.device, placement.dtype);
    finite = is_known || is_finite(placed);
  }
  if (!finite) throw_not_finite(mapped, full);
  state_->found_finite.insert(full);
  return placed;
}

at::Tensor Weights::room_for(const at::Tensor& mapped, Keep keep) const {
  const auto options = mapped.options().dtype(state_->placement.dtype);
  // A larger one would stay beside all that is laid out after it, which is when most is in memory.
  constexpr size_t kMostLent = size_t{48} << 20U;
  const auto bytes =
      static_cast<size_t>(mapped.numel()) * c10::elementSize(state_->placement.dtype);
  if (keep == Keep::kLent && bytes <= kMostLent)
    return state_->lent.lend(mapped.sizes(), state_->placement.dtype);
  // Tensors that are converted and then laid out anew leave holes in the heap that the next ones do
  // not fit into: a network of small layers would take a third more while it is loaded.
  constexpr size_t kBytesBetweenTrims = size_t{100} << 20U;
  state_->bytes_since_trim += mapped.nbytes();
  if (state_->bytes_since_trim > kBytesBetweenTrims) {
    trim_heap();
    state_->bytes_since_trim = 0;
  }
  return at::empty(mapped.sizes(), options);
}

void Weights::throw_not_finite(const at::Tensor& mapped, const std::string& name) const {
  const bool overflow = is_finite(mapped);
  throw Error(overflow ? ErrorCode::kUnsupported : ErrorCode::kCorruptFile,
              overflow
                  ? fmt::format("{}: tensor \"{}\" does not fit into {}; use another precision",
                                state_->folder, name, precision_name(state_->placement.dtype))
                  : fmt::format("{}: tensor \"{}\" holds values that are not finite numbers; the "
                                "file is damaged",
                                state_->folder, name));
}

at::Tensor Weights::get(std::initializer_list<std::string_view> names, at::IntArrayRef shape,
                        Keep keep) const {
  const at::Tensor mapped = find(names, shape);
  if (!has_values_)
    return at::empty(shape, at::TensorOptions().device(at::kMeta).dtype(state_->placement.dtype));
  if (mapped.defined()) return place(mapped, *names.begin(), keep);
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

at::Tensor Weights::lend(std::string_view name, at::IntArrayRef shape) const {
  return get({name}, shape, Keep::kLent);
}

at::Tensor Weights::take_mapped(std::string_view name, at::IntArrayRef shape) const {
  const at::Tensor mapped = find({name}, shape);
  return mapped.defined() ? mapped : at::zeros({1}).expand(shape);
}

void Weights::ignore(std::string_view prefix) const {
  state_->ignored_prefixes.push_back(fmt::format("{}{}", prefix_, prefix));
}

void Weights::finish() const {
  state_->lent.release();
  std::set<std::string> unknown;
  for (const auto& [name, entry] : state_->entries) {
    const bool ignored =
        std::any_of(state_->ignored_prefixes.begin(), state_->ignored_prefixes.end(),
                    [&name = name](const std::string& prefix) { return name.starts_with(prefix); });
    if (!ignored && !state_->taken.contains(name)) unknown.insert(name);
  }
  std::vector<std::string> faults;
  if (!state_->missing.empty())
    faults.push_back(fmt::format("missing tensors: {}", some_of(state_->missing)));
  if (!state_->misshapen.empty())
    faults.push_back(fmt::format("tensors of another shape: {}", some_of(state_->misshapen)));
  if (!unknown.empty()) faults.push_back(fmt::format("unknown tensors: {}", some_of(unknown)));
  if (faults.empty()) return;
  throw Error(ErrorCode::kCorruptFile,
              fmt::format("{}: the weights do not fit the folder's config: {}", state_->folder,
                          fmt::join(faults, "; ")));
}

Placement Weights::placement() const { return state_->placement; }

std::vector<TensorSize> Weights::sizes() const {
  std::vector<TensorSize> sizes;
  for (const auto& [name, entry] : state_->entries) {
    if (!is_floating(entry.view->dtype)) continue;
    const auto bytes = static_cast<int64_t>(entry.view->bytes.size());
    const Span<const int64_t> shape = entry.view->shape;
    sizes.push_back({.name = name,
                     .elements = bytes / static_cast<int64_t>(io::dtype_size(entry.view->dtype)),
                     .shape = {shape.begin(), shape.end()}});
  }
  return sizes;
}

Weights Weights::without_values() const { return {state_, prefix_, false}; }

}  // namespace kandinsky::tensor
