#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "io/model_dir.h"
#include "nn/kernels/row_products.h"
#include "nn/kernels/winograd.h"
#include "pipelines/check_finite.h"
#include "pipelines/memory/memory_plan.h"
#include "pipelines/memory/residency.h"
#include "pipelines/monitor.h"
#include "tensor/device.h"
#include "tensor/prepared_weights.h"
#include "tensor/run_context.h"
#include "tensor/scratch.h"
#include "tensor/weights.h"

namespace kandinsky::pipelines {

/// Weights for building a network at no cost, only to check that they fit its config.
inline tensor::Weights for_checks(const tensor::Weights& weights) {
  return weights.anew(tensor::with_streamed_weights({})).without_values();
}

/// A network that is loaded at its first use and stays until it is freed.
template <typename Network>
class Component : public Resident {
 public:
  using Build = std::function<Network(const tensor::Weights& weights)>;

  /// Opens the weight files and checks the names and shapes in their headers, so that a bad folder
  /// is refused before any work. They stay open, so that the checked files are the loaded ones.
  /// `layout` must be that of `build`'s network.
  Component(const io::ComponentFiles& files, tensor::Placement placement, WeightLayout layout,
            Build build)
      : placement_(placement),
        layout_(std::move(layout)),
        build_(std::move(build)),
        weights_(tensor::Weights::open(files, placement_)),
        sizes_(weights_.sizes()) {
    build_(for_checks(weights_));
  }

  /// Puts the component under a residency's plans. It must not move afterwards.
  void join(Residency& residency, std::string name) {
    index_ = residency.add(*this, measure(std::move(name)));
    residency_ = &residency;
  }
  size_t index() const { return index_; }

  /// Valid until another component of the same residency is used.
  const Network& get(const Monitor& monitor) {
    const bool streamed = residency_ != nullptr && residency_->make_room(index_);
    const Layout layout = streamed ? Layout::kFull : wanted_layout();
    const std::string adapters = weights_.adapters();
    // Reload: a network without speed-ups would stay slow, and a seed would depend on earlier jobs.
    if (network_ &&
        (streamed != is_streamed_ || layout != loaded_layout_ || adapters != loaded_adapters_)) {
      unload();
    }
    if (!network_) {
      monitor.report("load", 0, 1);
      tensor::Placement placement =
          streamed ? tensor::with_streamed_weights(placement_) : placement_;
      placement.small_tiles = layout == Layout::kSmallTiles;
      if (layout == Layout::kPlain) {
        placement.speedups.winograd = false;
        if (!layout_.keeps_splits) placement.speedups.split_upsampling = false;
      }
      // A load that fails must not leave it to the next one, which may be with LoRAs.
      std::shared_ptr<tensor::PreparedWeights> prepared;
      {
        const tensor::RunScope scope([](tensor::RunContext& context) {
          context.filter_scratch = std::make_shared<tensor::Scratch>();
        });
        if (placement.prepared_weights && placement.device.is_cpu() && !streamed &&
            adapters.empty()) {
          prepared = std::make_shared<tensor::PreparedWeights>(
              *placement.prepared_weights, file_name(), weights_.digest(), placement);
        }
        network_ = std::make_unique<Network>(build_(weights_.anew(placement, prepared)));
      }
      // Before the writing: a cancel ends it, and the network stays.
      is_streamed_ = streamed;
      loaded_layout_ = layout;
      loaded_adapters_ = adapters;
      if (prepared && prepared->has_news()) {
        write_prepared(*prepared, monitor);
      } else {
        prepared_ = std::move(prepared);
      }
      trim_heap();
      monitor.report("load", 1, 1);
    }
    return *network_;
  }

  /// Runs run(network), in low-memory mode if planned. Checks that the result is finite. If
  /// it is not, the component is loaded in fp32 from then on, and runs again.
  template <typename Run>
  auto run_finite(const Monitor& monitor, const Run& run) {
    const auto attempt = [&] {
      const tensor::RunScope scope([&](tensor::RunContext& context) {
        context.check = [&monitor] { monitor.check_cancelled(); };
        context.low_memory = is_low_memory();
        context.images_at_once = residency_ != nullptr ? residency_->at_once(index_) : 1;
      });
      return run(get(monitor));
    };
    try {
      return attempt();
    } catch (const NotFiniteError& error) {
      if (placement_.dtype == at::kFloat) throw;
      monitor.say(
          fmt::format("{}: from now on this stage runs in fp32, which is slower.", error.what()));
    }
    use_fp32();
    return attempt();
  }

  /// Another network of the same open files, in fp32 on the CPU, that reads its weights layer by
  /// layer.
  Network streamed() const { return build_(weights_.anew(tensor::with_streamed_weights({}))); }

  /// A hash of the stored weights.
  std::string digest() const { return weights_.digest(); }

  const tensor::Placement& placement() const { return placement_; }

  /// A text that identifies the LoRAs that change its weights.
  std::string adapters() const { return weights_.adapters(); }

  Holding holding() const override {
    if (!network_) return Holding::kFreed;
    return is_streamed_ ? Holding::kStreamed : Holding::kWhole;
  }
  int64_t held_bytes(const ComponentMemory& memory) const override {
    if (prepared_ && prepared_->mapped_bytes() > 0) return 0;  // counts as available
    const int64_t bytes = size_of(memory, holding());
    if (!network_ || loaded_layout_ == Layout::kFull) return bytes;
    return bytes - memory.spread +
           (loaded_layout_ == Layout::kPlain ? memory.low_memory_spread
                                             : memory.small_tiles_spread);
  }
  void unload() override {
    network_.reset();
    prepared_.reset();
  }

 private:
  bool is_low_memory() const { return residency_ != nullptr && residency_->is_low_memory(index_); }

  /// Of convolutions that can be packed.
  enum class Layout : int {
    kFull,
    kSmallTiles,
    kPlain,
  };

  Layout wanted_layout() const {
    if (residency_ == nullptr) return Layout::kFull;
    const ComponentMemory& memory = residency_->components()[index_];
    if (is_low_memory() && memory.spread > memory.low_memory_spread) return Layout::kPlain;
    const bool has_small_tiles =
        residency_->has_small_tiles(index_) && memory.spread > memory.small_tiles_spread;
    return has_small_tiles ? Layout::kSmallTiles : Layout::kFull;
  }

  /// "prior_text_encoder"
  std::string file_name() const {
    std::string name = residency_ != nullptr ? residency_->name(index_) : "network";
    std::ranges::replace(name, ' ', '_');
    return name;
  }

  void write_prepared(tensor::PreparedWeights& prepared, const Monitor& monitor) {
    const std::string_view folder = placement_.prepared_weights->path();
    try {
      const uint64_t bytes = prepared.write([&] { monitor.check_cancelled(); });
      monitor.say(fmt::format("{}: prepared weights are kept in {} ({}).", weights_.folder(),
                              folder, format_bytes(static_cast<int64_t>(bytes))));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kOutOfMemory) throw;
      monitor.say(
          fmt::format("{}: prepared weights cannot be kept: {}", weights_.folder(), error.what()));
    }
  }

  void use_fp32() {
    unload();
    placement_.dtype = at::kFloat;  // before the sizes, which depend on it
    if (residency_ != nullptr) residency_->resize(index_, measure(residency_->name(index_)));
  }

  ComponentMemory measure(std::string name) const {
    return measure_component(
        std::move(name), sizes_, layout_,
        {.element_size = static_cast<int64_t>(at::elementSize(placement_.dtype)),
         .splits = placement_.speedups.split_upsampling,
         .winograd = std::ranges::any_of(
             sizes_,
             [&](const tensor::TensorSize& size) {
               return nn::WinogradConv2d::tiling_for(size.shape, false, placement_).has_value();
             }),
         .int8_weights = placement_.int8_weights,
         .stored_matrices = nn::kernels::keeps_stored_matrices(placement_)});
  }

  tensor::Placement placement_;
  WeightLayout layout_;
  Build build_;
  tensor::Weights weights_;
  std::vector<tensor::TensorSize> sizes_;
  std::shared_ptr<tensor::PreparedWeights> prepared_;  ///< the network's weights lie in it
  std::unique_ptr<Network> network_;
  bool is_streamed_ = false;
  Layout loaded_layout_ = Layout::kFull;
  std::string loaded_adapters_;
  Residency* residency_ = nullptr;
  size_t index_ = 0;
};

}  // namespace kandinsky::pipelines
