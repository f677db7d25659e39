#include "pipelines/embeds.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "base/error.h"
#include "io/safetensors.h"
#include "tensor/bridge.h"

namespace kandinsky::pipelines {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "kandinsky-embeds";
constexpr std::string_view kImageEmbeds = "image_embeds";

}  // namespace

const at::Tensor* Embeds::find(std::string_view name) const {
  for (const auto& [key, value] : tensors) {
    if (key == name) return &value;
  }
  return nullptr;
}

const at::Tensor& Embeds::at(std::string_view name) const {
  if (const at::Tensor* tensor = find(name)) return *tensor;
  throw Error(ErrorCode::kInvalidArgument, fmt::format("embeds: there is no tensor \"{}\"", name));
}

Embeds combine_embeds(Span<const Embeds* const> items, Span<const double> weights,
                      const Embeds* /*text*/, MixMethod /*method*/) {
  if (items.empty())
    throw Error(ErrorCode::kInvalidArgument, "embeds: there is nothing to combine");
  Embeds result = *items.front();
  at::Tensor sum;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!std::isfinite(weights[i])) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("embeds: weight {} is not a finite number", i + 1));
    }
    const at::Tensor& image_embeds = items[i]->at(kImageEmbeds);
    const at::Tensor& first = items.front()->at(kImageEmbeds);
    if (image_embeds.sizes() != first.sizes()) {
      throw Error(
          ErrorCode::kInvalidArgument,
          fmt::format("embeds: item {} has image_embeds [{}], the first one [{}]", i + 1,
                      fmt::join(image_embeds.sizes(), ", "), fmt::join(first.sizes(), ", ")));
    }
    const at::Tensor weighted = image_embeds * weights[i];
    sum = sum.defined() ? sum + weighted : weighted;
  }
  for (auto& [name, tensor] : result.tensors) {
    if (name == kImageEmbeds) tensor = sum;
  }
  return result;
}

Embeds concat_embeds(Span<const Embeds* const>) {
  throw Error(ErrorCode::kUnsupported, "comes with the next commits");
}

Embeds select_embeds(const Embeds&, Span<const int64_t>) {
  throw Error(ErrorCode::kUnsupported, "comes with the next commits");
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
  for (const io::TensorView& view : file.tensors()) {
    at::Tensor tensor = tensor::from_view(file, view).to(at::kFloat).clone();
    if (tensor.dim() < 2 || tensor.dim() > 3)
      throw corrupt(fmt::format("tensor \"{}\" has {} dimensions", view.name, tensor.dim()));
    if (!tensor.isfinite().all().item<bool>())
      throw corrupt(fmt::format("tensor \"{}\" has values that are not finite", view.name));
    embeds.tensors.emplace_back(std::string(view.name), std::move(tensor));
  }
  if (embeds.find(kImageEmbeds) == nullptr) throw corrupt("there is no tensor \"image_embeds\"");
  for (const auto& [name, tensor] : embeds.tensors) {
    if (tensor.size(0) < 1 || tensor.size(0) != embeds.batch_size())
      throw corrupt("its tensors differ in their first dimension");
  }
  return embeds;
}

}  // namespace kandinsky::pipelines
