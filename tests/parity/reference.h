/// Reading recorded references and comparing with them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/json_config.h"
#include "io/safetensors.h"
#include "parity/tolerances.h"
#include "tensor/weights.h"

namespace kandinsky::parity {

/// A file of tests/parity/references. Asking for what it lacks throws Error(kNotFound).
class Reference {
 public:
  /// file: without folder and ending.
  explicit Reference(std::string_view file);

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  at::Tensor tensor(const std::string& name) const;
  std::string text(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  double real(const std::string& name) const;

  /// The names before the slash, sorted.
  std::vector<std::string> cases() const;

 private:
  const io::StoredTensor& stored(const std::string& name) const;

  io::SafetensorsFile file_;
};

/// One component of a model, ready to build a network from.
struct Component {
  io::JsonConfig config;
  tensor::Weights weights;
};

/// model: "tiny-2-1", "tiny-2-1-prior" or "tiny-2-1-inpaint", as CTest made them.
Component open_component(std::string_view model, std::string_view component);

/// The config of a component without weights.
io::JsonConfig open_config(std::string_view model, std::string_view component);

/// Folder of a tiny model or of one of its components.
std::string tiny_folder(std::string_view path);

/// Folder of the demo model.
std::string demo_folder();

/// Fails the test beyond the tolerance, and prints how close it was:
/// "parity unet t_501: max_abs 1.2e-06 of range 2.14".
void expect_close(const Tolerance& tolerance, std::string_view what, const at::Tensor& actual,
                  const at::Tensor& expected);

/// Fails the test unless type, shape and every bit are the same.
void expect_equal(std::string_view what, const at::Tensor& actual, const at::Tensor& expected);

/// 8-bit images of the same shape.
void expect_same_image(std::string_view what, const at::Tensor& actual, const at::Tensor& expected);

}  // namespace kandinsky::parity
