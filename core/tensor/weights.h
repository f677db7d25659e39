/// The weights of one component: name -> tensor, read late, checked against what the network
/// expects.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <memory>
#include <set>
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
  int64_t stored_bytes = 0;  ///< in the file
};

/// A table in a file, of which few rows are used: they are read at each use. Cheap to copy.
class StoredTable {
 public:
  /// ids: integers, each a row. Returns [ids..., width] on the CPU, in the file's type, not checked
  /// for finite values. Throws as TensorFile::read, and Error(kInternal) for an id out of
  /// range.
  at::Tensor rows(const at::Tensor& ids) const;

 private:
  friend class Weights;
  struct Source;
  explicit StoredTable(std::shared_ptr<const Source> source) : source_(std::move(source)) {}
  std::shared_ptr<const Source> source_;
};

/// A view of a component's weights below a dotted scope, e.g. "down_blocks.0.resnets.1". Cheap to
/// copy.
///
/// Layers are built from it: each takes the tensors it needs, with the shape it expects. A network
/// calls finish() once it is built; only then are missing, misshapen and left-over tensors
/// reported, all in one message.
class Weights {
 public:
  /// Opens the component's weight files, which stay open as long as this object and what was
  /// made of it. Tensors come out on the placement's device, in its type. Throws
  /// Error(kCorruptFile) for a bad file or a tensor that two files hold.
  static Weights open(const io::ComponentFiles& files, Placement placement);

  /// The same open files for a network of another placement. None of their tensors is taken yet.
  Weights anew(Placement placement) const;

  /// The weights below `name`.
  Weights scope(std::string_view name) const;
  Weights scope(std::string_view name, int64_t index) const;

  /// The tensor of that name and shape; a stand-in of zeros if it is missing or misshapen, in which
  /// case finish() throws. Trailing dimensions of 1 in the file are accepted: older exports hold
  /// linear weights as 1x1 convolutions. Throws Error(kCorruptFile) for values that are not finite
  /// and for a file that has changed since it was opened.
  at::Tensor take(std::string_view name, at::IntArrayRef shape) const;

  /// The same under the first of several names that is there; the first one is the name of record.
  at::Tensor take(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;

  /// The same, in memory that the next one lent may be written to and that ends with finish(): for
  /// layers that lay a weight out anew at once. Fresh pages for each would take longer than the
  /// layout.
  at::Tensor lend(std::string_view name, at::IntArrayRef shape) const;

  /// The same in the file's own type, if that is fp32, fp16 or bf16 and no LoRA changes it, else in
  /// the placement's. On the CPU.
  at::Tensor take_stored(std::string_view name, at::IntArrayRef shape) const;

  bool has(std::string_view name) const;

  /// A matrix of which few rows are used, left in its file.
  StoredTable table(std::string_view name, at::IntArrayRef shape) const;

  /// Says that the tensors whose full name starts with this scope and `prefix` are known and not
  /// needed.
  void ignore(std::string_view prefix) const;

  /// Throws Error(kCorruptFile) naming what is missing, misshapen or unknown.
  void finish() const;

  /// The LoRAs that change what take() gives, as text that differs where they do.
  std::string adapters() const;

  Placement placement() const;

  /// The component's, for messages.
  const std::string& folder() const;

  /// All tensors of the component of a floating-point type, in the order of their names.
  std::vector<TensorSize> sizes() const;

  /// The same weights, but take() only checks names and shapes: what it gives has no values (it is
  /// on LibTorch's meta device), and no layer made of it may be used.
  Weights without_values() const;

 private:
  struct Files;
  struct State;
  Weights(std::shared_ptr<State> state, std::string prefix, bool has_values = true)
      : state_(std::move(state)), prefix_(std::move(prefix)), has_values_(has_values) {}

  struct Entry;
  /// Null, and noted, if none of the names is there or its shape is another one.
  const Entry* find(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;
  enum class Keep { kOwned, kLent, kStored };
  at::Tensor get(std::initializer_list<std::string_view> names, at::IntArrayRef shape,
                 Keep keep) const;
  /// On the placement's device and in its type, checked for finite values.
  at::Tensor place(const Entry& entry, at::IntArrayRef shape, std::string_view name,
                   Keep keep) const;
  at::Tensor allocate(at::IntArrayRef shape, at::ScalarType dtype, Keep keep) const;
  /// Throws at once what finish() would where a stand-in would not do.
  void check_stand_in(at::IntArrayRef shape) const;
  [[noreturn]] void throw_unfit(const std::set<std::string>& unknown) const;
  [[noreturn]] void throw_not_finite(const Entry& entry, const std::string& name) const;

  std::shared_ptr<State> state_;
  std::string prefix_;
  bool has_values_;
};

}  // namespace kandinsky::tensor
