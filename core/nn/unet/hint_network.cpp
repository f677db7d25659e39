#include "nn/unet/hint_network.h"

#include <ATen/ops/silu.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "nn/layers/conv.h"
#include "tensor/weights.h"

namespace kandinsky::nn {
namespace {

struct Step {
  int64_t channels;
  int64_t stride;
};

constexpr std::array kSteps{
    Step{16, 1}, Step{16, 1}, Step{32, 2},  Step{32, 1},
    Step{96, 2}, Step{96, 1}, Step{256, 2}, Step{HintNetwork::kChannels, 1}};

}  // namespace

HintNetwork::HintNetwork(const tensor::Weights& weights) {
  int64_t channels = 3;
  for (size_t i = 0; i < kSteps.size(); ++i) {
    // The activations between count, too.
    convs_.emplace_back(weights.scope("input_hint_block", static_cast<int64_t>(2 * i)),
                        ConvShape{.in_channels = channels,
                                  .out_channels = kSteps[i].channels,
                                  .stride = kSteps[i].stride});
    channels = kSteps[i].channels;
  }
}

at::Tensor HintNetwork::operator()(const at::Tensor& pixels, PaddingMode padding_mode) const {
  at::Tensor x = convs_.front()(pixels, padding_mode);
  for (size_t i = 1; i < convs_.size(); ++i) x = convs_[i](at::silu(x), padding_mode);
  return x;
}

}  // namespace kandinsky::nn
