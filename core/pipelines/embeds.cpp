#include "pipelines/embeds.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/pad.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "tensor/bridge.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "kandinsky-embeds";
constexpr std::string_view kHiddenStates = "text_encoder_hidden_states";
constexpr std::string_view kTextLengths = "text_lengths";

Error bad_embeds(std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("embeds: {}", what)};
}

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

/// A row [1, ...] of a tensor; of hidden states only the valid part.
at::Tensor row_of(const Embeds& embeds, std::string_view name, int64_t row) {
  const at::Tensor value = embeds.at(name).slice(0, row, row + 1);
  const at::Tensor* lengths = name == kHiddenStates ? embeds.find(kTextLengths) : nullptr;
  return lengths == nullptr ? value : value.slice(1, 0, (*lengths)[row].item<int64_t>());
}

/// Pads values [1, T, X] to a common T with rows of 0, and returns their lengths [B, 1]; undefined
/// if they are equal.
at::Tensor fill_up(std::vector<at::Tensor>* values) {
  std::vector<float> lengths;
  for (const at::Tensor& value : *values) lengths.push_back(static_cast<float>(value.size(1)));
  const auto [shortest, longest] = std::minmax_element(lengths.begin(), lengths.end());
  if (*shortest == *longest) return {};
  const auto length = static_cast<int64_t>(*longest);
  for (at::Tensor& value : *values) value = at::pad(value, {0, 0, 0, length - value.size(1)});
  return tensor::from_floats(lengths.data(), {static_cast<int64_t>(lengths.size()), 1});
}

struct Row {
  const Embeds* embeds = nullptr;
  int64_t index = 0;
};

/// Concatenates rows. Hidden states of unequal length are padded with 0; the lengths are
/// present only if needed, so that equal rows have equal tensors.
Embeds stack_rows(const std::vector<Row>& rows) {
  if (std::ssize(rows) > limits::kMaxEmbedsRows) {
    throw bad_embeds(
        fmt::format("{} rows are too many, at most {}", rows.size(), limits::kMaxEmbedsRows));
  }
  Embeds result;
  at::Tensor lengths;
  for (const auto& entry : rows.front().embeds->tensors) {
    const std::string& name = entry.first;
    if (name == kTextLengths) continue;
    std::vector<at::Tensor> values;
    for (const Row& row : rows) values.push_back(row_of(*row.embeds, name, row.index));
    if (name == kHiddenStates) lengths = fill_up(&values);
    result.tensors.emplace_back(name, at::cat(values).contiguous());
  }
  if (lengths.defined()) result.tensors.emplace_back(kTextLengths, lengths);
  return result;
}

/// Throws unless an item has the tensors of the first one, in the same widths.
void check_fits(const Embeds& first, const Embeds& item, size_t number) {
  const auto count = [](const Embeds& embeds) {
    return embeds.tensors.size() - (embeds.find(kTextLengths) == nullptr ? 0 : 1);
  };
  if (count(first) != count(item)) {
    throw bad_embeds(
        fmt::format("item {} has {} tensors, the first one {}", number, count(item), count(first)));
  }
  for (const auto& [name, tensor] : first.tensors) {
    if (name == kTextLengths) continue;
    const at::Tensor& other = item.at(name);
    if (other.dim() == tensor.dim() && other.size(-1) == tensor.size(-1)) continue;
    throw bad_embeds(
        fmt::format("item {} has {} {}, the first one {}; are they from the same model?", number,
                    name, shape_text(other), shape_text(tensor)));
  }
}

/// Checks the content of an embeds file; returns the error, or empty.
std::string fault_of(const Embeds& embeds) {
  if (embeds.find(kImageEmbeds) == nullptr) return "there is no tensor \"image_embeds\"";
  const int64_t rows = embeds.batch_size();
  if (rows > limits::kMaxEmbedsRows)
    return fmt::format("it has {} rows, at most {} are allowed", rows, limits::kMaxEmbedsRows);
  for (const auto& [name, tensor] : embeds.tensors) {
    if (tensor.size(0) < 1 || tensor.size(0) != rows)
      return "its tensors differ in their first dimension";
  }
  const at::Tensor* lengths = embeds.find(kTextLengths);
  if (lengths == nullptr) return {};
  const at::Tensor* states = embeds.find(kHiddenStates);
  const bool fits = states != nullptr && states->dim() == 3 && lengths->dim() == 2 &&
                    lengths->size(1) == 1 && lengths->equal(lengths->round()) &&
                    lengths->min().item<double>() >= 1.0 &&
                    lengths->max().item<double>() <= static_cast<double>(states->size(1));
  return fits ? std::string() : "\"text_lengths\" does not fit \"text_encoder_hidden_states\"";
}

}  // namespace

const at::Tensor* Embeds::find(std::string_view name) const {
  for (const auto& [key, value] : tensors) {
    if (key == name) return &value;
  }
  return nullptr;
}

const at::Tensor& Embeds::at(std::string_view name) const {
  if (const at::Tensor* tensor = find(name)) return *tensor;
  throw bad_embeds(fmt::format("there is no tensor \"{}\"", name));
}

Embeds concat_embeds(Span<const Embeds* const> items) {
  if (items.empty()) throw bad_embeds("no embeds to join");
  std::vector<Row> rows;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i]->batch_size() == 0) throw bad_embeds(fmt::format("item {} is empty", i + 1));
    check_fits(*items.front(), *items[i], i + 1);
    for (int64_t row = 0; row < items[i]->batch_size(); ++row) rows.push_back({items[i], row});
  }
  return stack_rows(rows);
}

Embeds select_embeds(const Embeds& embeds, Span<const int64_t> rows) {
  if (rows.empty()) throw bad_embeds("no row was given");
  std::vector<Row> selected;
  for (const int64_t row : rows) {
    if (row < 0 || row >= embeds.batch_size()) {
      throw bad_embeds(
          fmt::format("there is no row {}, only rows 0 to {}", row, embeds.batch_size() - 1));
    }
    selected.push_back({&embeds, row});
  }
  return stack_rows(selected);
}

void save_embeds(const Embeds& embeds, std::string_view path) {
  std::vector<io::TensorView> views;
  for (const auto& [name, tensor] : embeds.tensors) {
    TORCH_INTERNAL_ASSERT(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat &&
                          tensor.is_cpu());
    const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
    views.push_back({.name = name,
                     .dtype = io::DType::kF32,
                     .shape = {tensor.sizes().data(), tensor.sizes().size()},
                     .bytes = {bytes, static_cast<size_t>(tensor.nbytes())}});
  }
  const io::MetadataEntry format{.key = kFormatKey, .value = kFormat};
  io::write_safetensors(path, views, {&format, 1});
}

Embeds load_embeds(std::string_view path) {
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const auto corrupt = [path](std::string_view what) {
    return Error(ErrorCode::kCorruptFile,
                 fmt::format("{}: {}; expected a file of saved embeds", path, what));
  };
  Embeds embeds;
  for (const io::StoredTensor& stored : file.tensors()) {
    const std::string_view name = stored.name;
    at::Tensor tensor = tensor::read_tensor(file, stored).to(at::kFloat);
    if (tensor.dim() < 2 || tensor.dim() > 3)
      throw corrupt(fmt::format("tensor \"{}\" has {} dimensions", name, tensor.dim()));
    if (!tensor.isfinite().all().item<bool>())
      throw corrupt(fmt::format("tensor \"{}\" has values that are not finite", name));
    embeds.tensors.emplace_back(std::string(name), std::move(tensor));
  }
  if (const std::string fault = fault_of(embeds); !fault.empty()) throw corrupt(fault);
  return embeds;
}

}  // namespace kandinsky::pipelines
