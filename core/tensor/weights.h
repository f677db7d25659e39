/// The weights of one component: name -> tensor, read late, checked against what the network
/// expects.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/model_dir.h"
#include "tensor/device.h"

namespace kandinsky::tensor {

/// A tensor by its file's header.
struct TensorSize {
  std::string name;
  int64_t elements = 0;
  std::vector<int64_t> shape{};
};

/// A view of a component's weights below a dotted scope, e.g. "down_blocks.0.resnets.1". Cheap to
/// copy.
///
/// Layers are built from it: each takes the tensors it needs, with the shape it expects. A network
/// calls finish() once it is built; only then are missing, misshapen and left-over tensors
/// reported, all in one message.
class Weights {
 public:
  /// Maps the component's safetensors files. Tensors come out on the placement's device, in its
  /// type. Throws Error(kCorruptFile) for a bad file or a tensor that two files hold.
  static Weights open(const io::ComponentFiles& files, Placement placement);

  /// The weights below `name`.
  Weights scope(std::string_view name) const;
  Weights scope(std::string_view name, int64_t index) const;

  /// The tensor of that name and shape; a stand-in of zeros if it is missing or misshapen, in which
  /// case finish() throws. Trailing dimensions of 1 in the file are accepted: older exports hold
  /// linear weights as 1x1 convolutions. Throws Error(kCorruptFile) for values that are not finite.
  at::Tensor take(std::string_view name, at::IntArrayRef shape) const;

  /// The same under the first of several names that is there; the first one is the name of record.
  at::Tensor take(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;

  /// The same, in memory that the next one lent may be written to and that ends with finish(): for
  /// layers that lay a weight out anew at once. Fresh pages for each would take longer than the
  /// layout.
  at::Tensor lend(std::string_view name, at::IntArrayRef shape) const;

  bool has(std::string_view name) const;

  /// The tensor as it lies in the file, not converted and not checked for finite values: for tables
  /// of which few rows are used.
  at::Tensor take_mapped(std::string_view name, at::IntArrayRef shape) const;

  /// Says that the tensors whose full name starts with this scope and `prefix` are known and not
  /// needed.
  void ignore(std::string_view prefix) const;

  /// Throws Error(kCorruptFile) naming what is missing, misshapen or unknown.
  void finish() const;

  Placement placement() const;

  /// All tensors of the component that hold floating-point numbers, in the order of their names.
  std::vector<TensorSize> sizes() const;

  /// The same weights, but take() only checks names and shapes: what it gives has no numbers (it is
  /// on LibTorch's meta device), and no layer made of it may be used.
  Weights without_values() const;

 private:
  struct State;
  Weights(std::shared_ptr<State> state, std::string prefix, bool has_values = true)
      : state_(std::move(state)), prefix_(std::move(prefix)), has_values_(has_values) {}

  at::Tensor find(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;
  enum class Keep { kOwned, kLent };
  at::Tensor get(std::initializer_list<std::string_view> names, at::IntArrayRef shape,
                 Keep keep) const;
  /// On the placement's device and in its type, checked for finite values.
  at::Tensor place(const at::Tensor& mapped, std::string_view name, Keep keep) const;
  at::Tensor room_for(const at::Tensor& mapped, Keep keep) const;
  [[noreturn]] void throw_not_finite(const at::Tensor& mapped, const std::string& name) const;

  std::shared_ptr<State> state_;
  std::string prefix_;
  bool has_values_;
};

}  // namespace kandinsky::tensor
