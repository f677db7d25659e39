#include "pipelines/folder.h"

#include <array>

#include "io/json_config.h"
#include "io/model_dir.h"
#include "io/safetensors.h"
#include "nn/movq/movq_config.h"
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

/// Schedulers, tokenizers and image processors come without weights; their classes say so.
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
  if (!has_weights(info)) {
    model.component(info.name);
    return component;
  }
  const io::ComponentFiles files = model.weights(info.name);
  for (const std::string_view path : files.weights()) {
    const io::SafetensorsFile file = io::SafetensorsFile::open(path);
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
  if (const Family* family = find_family(model)) folder.family = family->name;
  for (const io::ComponentInfo& info : model.components())
    folder.components.push_back(describe_component(model, info));
  if (model.find("unet") != nullptr && model.find("movq") != nullptr) {
    const auto sample_size =
        io::JsonConfig::load(model.component("unet").config_path()).get_int("sample_size", 64);
    const auto movq =
        nn::MovqConfig::from_json(io::JsonConfig::load(model.component("movq").config_path()));
    folder.native_size = sample_size * movq.factor();
  }
  return folder;
}

}  // namespace kandinsky::pipelines
