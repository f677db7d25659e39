#include "pipelines/families/folder.h"

#include <array>
#include <string>
#include <string_view>

#include "io/model_dir.h"
#include "io/tensor_file.h"
#include "io/tensor_view.h"
#include "pipelines/families/families.h"
#include "pipelines/family.h"

namespace kandinsky::pipelines {
namespace {

std::string precision_of(io::DType dtype) {
  switch (dtype) {
    case io::DType::kF32:
      return "fp32";
    case io::DType::kF16:
      return "fp16";
    case io::DType::kBF16:
      return "bf16";
    default:
      return std::string(io::dtype_name(dtype));
  }
}

bool is_number(io::DType dtype) {
  return dtype == io::DType::kF64 || dtype == io::DType::kF32 || dtype == io::DType::kF16 ||
         dtype == io::DType::kBF16;
}

/// Schedulers, tokenizers and image processors have no weights; recognised by their classes.
bool has_weights(const io::ComponentInfo& info) {
  constexpr std::array kWithout{"Scheduler", "Tokenizer", "ImageProcessor", "FeatureExtractor"};
  for (const char* word : kWithout) {
    if (info.class_name.find(word) != std::string_view::npos) return false;
  }
  return true;
}

FolderComponent describe_component(const io::ModelDir& model, const io::ComponentInfo& info) {
  FolderComponent component{.name = std::string(info.name),
                            .class_name = std::string(info.class_name)};
  // Its reader expects JSON.
  model.config(info.name);
  if (!has_weights(info)) return component;
  const io::ComponentFiles files = model.weights(info.name);
  for (const std::string_view path : files.weights()) {
    const io::TensorFile file = io::open_weight_file(path);
    for (const io::StoredTensor& stored : file.tensors()) {
      ++component.tensors;
      component.bytes += stored.size;
      // Older exports hold index tables that are no parameters.
      if (!is_number(stored.dtype)) continue;
      component.parameters += stored.size / io::dtype_size(stored.dtype);
      const std::string dtype = precision_of(stored.dtype);
      if (component.dtype.empty()) component.dtype = dtype;
      if (component.dtype != dtype) component.dtype = "mixed";
    }
  }
  return component;
}

}  // namespace

Folder describe_folder(std::string_view path) {
  const io::ModelDir model = io::ModelDir::open(path);
  Folder folder;
  folder.pipeline = model.pipeline_class();
  const Family* const family = find_family(model);
  for (const io::ComponentInfo& info : model.components()) {
    if (family != nullptr && family->may_lack(model, info)) continue;
    folder.components.push_back(describe_component(model, info));
    if (family != nullptr)
      folder.components.back().is_checked = family->check_component(model, info);
  }
  if (family == nullptr) return folder;
  folder.family = family->name;
  folder.native_size = family->native_size(model);
  return folder;
}

}  // namespace kandinsky::pipelines
