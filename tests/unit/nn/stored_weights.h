#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "io/model_dir.h"
#include "io/safetensors.h"
#include "tensor/weights.h"
#include "unit/support.h"

namespace kandinsky::test {

/// A component's folder with these tensors.
class StoredWeights {
 public:
  explicit StoredWeights(const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
    folder_.write("model_index.json",
                  R"({"_class_name": "P", "unet": ["diffusers", "UNet2DConditionModel"]})");
    folder_.write("unet/config.json", "{}");
    std::vector<io::TensorView> views;
    for (const auto& [name, tensor] : tensors) {
      views.push_back(
          {.name = name,
           .dtype = tensor.scalar_type() == at::kHalf ? io::DType::kF16 : io::DType::kF32,
           .shape = {tensor.sizes().data(), tensor.sizes().size()},
           .bytes = {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}});
    }
    io::write_safetensors(path(), views);
  }

  std::string path() const { return folder_.path("unet/diffusion_pytorch_model.safetensors"); }

  tensor::Weights open(const tensor::Placement& placement) const {
    return tensor::Weights::open(io::ModelDir::open(folder_.path()).weights("unet"), placement);
  }

 private:
  TempFolder folder_;
};

}  // namespace kandinsky::test
