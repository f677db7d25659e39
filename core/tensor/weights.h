/// The weights of one component: name -> tensor, read lazily, checked against the network's
/// expectations.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/model_dir.h"
#include "tensor/device.h"
#include "tensor/prepared_weights.h"

namespace kandinsky::tensor {

/// A tensor from its file's header.
struct TensorSize {
  std::string name;
  int64_t elements = 0;
  std::vector<int64_t> shape{};
  int64_t stored_bytes = 0;  ///< in the file
};

/// A table in a file with few used rows, which are read at each use. Cheap to copy.
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
/// calls finish() when it is built, which reports all missing, misshapen and unused tensors
/// in one message.
class Weights {
 public:
  /// Opens the component's weight files, which stay open as long as this object and objects made
  /// from it. Tensors are on the placement's device, in its type. Throws
  /// Error(kCorruptFile) for a bad file or a tensor that two files hold.
  static Weights open(const io::ComponentFiles& files, Placement placement);

  /// The same open files for a network with another placement, with no tensor taken yet. kept: for
  /// prepared(); null: nothing is kept.
  Weights anew(Placement placement, std::shared_ptr<PreparedWeights> kept = {}) const;

  /// The weights below `name`.
  Weights scope(std::string_view name) const;
  Weights scope(std::string_view name, int64_t index) const;

  /// The tensor of that name and shape; zeros if it is missing or misshapen, in which
  /// case finish() throws. Trailing dimensions of 1 in the file are accepted: older exports hold
  /// linear weights as 1x1 convolutions. Throws Error(kCorruptFile) for values that are not finite
  /// and for a file that has changed since it was opened.
  at::Tensor take(std::string_view name, at::IntArrayRef shape) const;

  /// The same for the first existing one of several names; the first is the official name.
  at::Tensor take(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;

  /// The same, in scratch memory that is reused by the next call and freed by finish(): for
  /// layers that pack a weight at once. New pages for each would take longer than the
  /// packing.
  at::Tensor lend(std::string_view name, at::IntArrayRef shape) const;

  /// The same in the file's own type, if that is fp32, fp16 or bf16 and no LoRA changes it, else in
  /// the placement's. On the CPU.
  at::Tensor take_stored(std::string_view name, at::IntArrayRef shape) const;

  /// What a layer computes with instead of that tensor: kept by an earlier process, or else the
  /// result of `make`, which takes or lends the tensor. form: names what is made of it.
  std::vector<at::Tensor> prepared(std::string_view name, at::IntArrayRef shape,
                                   std::string_view form,
                                   const std::function<std::vector<at::Tensor>()>& make) const;

  bool has(std::string_view name) const;

  /// A matrix with few used rows, which stays in its file.
  StoredTable table(std::string_view name, at::IntArrayRef shape) const;

  /// Marks the tensors whose full name starts with this scope and `prefix` as known and
  /// unused.
  void ignore(std::string_view prefix) const;

  /// Throws Error(kCorruptFile) listing missing, misshapen and unknown tensors.
  void finish() const;

  /// A text that identifies the LoRAs that change the results of take().
  std::string adapters() const;

  Placement placement() const;

  /// A hash of the stored weights: see io/weights_digest.h.
  std::string digest() const;

  /// The component's folder, for messages.
  const std::string& folder() const;

  /// All tensors of the component of a floating-point type, in the order of their names.
  std::vector<TensorSize> sizes() const;

  /// The same weights, but take() only checks names and shapes: its tensors have no values (they
  /// are on LibTorch's meta device), and layers made of them must not be used.
  Weights without_values() const;

 private:
  struct Files;
  struct State;
  Weights(std::shared_ptr<State> state, std::string prefix, bool has_values = true)
      : state_(std::move(state)), prefix_(std::move(prefix)), has_values_(has_values) {}

  struct Entry;
  /// Null, and recorded, if none of the names exists or the shape differs.
  const Entry* find(std::initializer_list<std::string_view> names, at::IntArrayRef shape) const;
  enum class Keep { kOwned, kLent, kStored };
  at::Tensor get(std::initializer_list<std::string_view> names, at::IntArrayRef shape,
                 Keep keep) const;
  /// On the placement's device and in its type, checked for finite values.
  at::Tensor place(const Entry& entry, at::IntArrayRef shape, std::string_view name,
                   Keep keep) const;
  at::Tensor allocate(at::IntArrayRef shape, at::ScalarType dtype, Keep keep) const;
  /// Throws at once what finish() would, if zeros are not possible.
  void check_stand_in(at::IntArrayRef shape) const;
  [[noreturn]] void throw_unfit(const std::set<std::string>& unknown) const;
  [[noreturn]] void throw_not_finite(const Entry& entry, const std::string& name) const;

  std::shared_ptr<State> state_;
  std::string prefix_;
  bool has_values_;
};

}  // namespace kandinsky::tensor
