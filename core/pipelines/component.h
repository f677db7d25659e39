#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>

#include "io/model_dir.h"
#include "pipelines/monitor.h"
#include "tensor/weights.h"

namespace kandinsky::pipelines {

/// A network that is loaded when it is first used and stays until it is freed.
template <typename Network>
class Component {
 public:
  using Build = std::function<Network(const tensor::Weights& weights)>;

  /// Opens the weight files once to check their headers, so that a bad folder is refused before any
  /// work.
  Component(io::ComponentFiles files, tensor::Placement placement, Build build)
      : files_(std::move(files)), placement_(placement), build_(std::move(build)) {
    tensor::Weights::open(files_, placement_);
  }

  const Network& get(const Monitor& monitor) {
    if (!network_) {
      monitor.report("load", 0, 1);
      network_ = std::make_unique<Network>(build_(tensor::Weights::open(files_, placement_)));
      monitor.report("load", 1, 1);
    }
    return *network_;
  }

  void unload() { network_.reset(); }

 private:
  io::ComponentFiles files_;
  tensor::Placement placement_;
  Build build_;
  std::unique_ptr<Network> network_;
};

}  // namespace kandinsky::pipelines
