#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "tensor/weights.h"

namespace kandinsky::nn {

/// A layer of a network that is kept or, with streamed weights, built for each use and freed
/// afterwards.
template <typename Layer>
class Unit {
 public:
  using Build = std::function<Layer(const tensor::Weights& weights)>;

  /// Names and shapes of the layer's tensors are checked either way.
  Unit(const tensor::Weights& weights, Build build) {
    if (!weights.placement().streamed) {
      kept_ = std::make_shared<const Layer>(build(weights));
      return;
    }
    build(weights.without_values());
    rebuild_ = [weights, build = std::move(build)] {
      return std::make_shared<const Layer>(build(weights));
    };
  }

  /// The layer, valid while the caller holds it.
  std::shared_ptr<const Layer> get() const { return kept_ ? kept_ : rebuild_(); }

  template <typename... Arguments>
  auto operator()(Arguments&&... arguments) const {
    return (*get())(std::forward<Arguments>(arguments)...);
  }

 private:
  std::shared_ptr<const Layer> kept_;
  std::function<std::shared_ptr<const Layer>()> rebuild_;
};

/// For a layer with further constructor arguments; their copies are kept if needed.
template <typename Layer, typename... Arguments>
Unit<Layer> make_unit(const tensor::Weights& weights, const Arguments&... arguments) {
  return {weights,
          [arguments...](const tensor::Weights& given) { return Layer(given, arguments...); }};
}

}  // namespace kandinsky::nn
