#include "nn/layers/winograd.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "nn/layers/onednn.h"
#include "tensor/rates.h"

namespace kandinsky::nn {
namespace {

using kernels::TileInput;

/// Below it the sums take as long as the products that they save.
constexpr int64_t kFewestChannels = 96;
/// Wider layers see maps of a few hundred places, for which reading the weights takes longest.
constexpr int64_t kMostOutChannels = 1152;

/// Tiles that are worked on at a time: what lies between the sums stays in the last cache, and the
/// matrix products are large enough to be quick.
int64_t tiles_at_once(const at::Tensor& x, const kernels::TileGrid& grid) {
  constexpr int64_t kBytes = int64_t{16} << 20U;
  constexpr int64_t kFewest = 256;
  constexpr int64_t kMost = 1024;
  const int64_t of_one = kernels::tile_products(grid.input) * x.size(1) * x.element_size();
  const int64_t most = std::clamp(kBytes / of_one, kFewest, kMost);
  const int64_t parts = (grid.count() + most - 1) / most;
  return (grid.count() + parts - 1) / parts;
}

/// How much quicker than oneDNN's own convolution this is, for a layer of medium size: by several
/// runs, since a wrong answer costs every step of a picture, and these a quarter of a second.
double gain(at::ScalarType dtype) {
  constexpr int64_t kChannels = 384;
  constexpr int64_t kSide = 32;
  constexpr int kRounds = 5;
  const tensor::JobGuard guard;
  const auto options = at::TensorOptions().dtype(dtype);
  const at::Tensor weight = at::ones({kChannels, kChannels, 3, 3}, options);
  const at::Tensor x =
      at::ones({2, kChannels, kSide, kSide}, options.memory_format(at::MemoryFormat::ChannelsLast));
  const onednn::ConvGeometry geometry{.stride = 1, .row_padding = 1, .column_padding = 1};
  const at::Tensor packed = onednn::pack_convolution(weight, geometry, x.sizes());
  const WinogradConv2d conv(weight, {}, TileInput::kMap);
  return tensor::gain_of([&] { onednn::convolution(x, packed, {}, geometry); },
                         [&] { conv(x, {}, 1, 1); }, kRounds);
}

/// Far from 1 on every CPU seen but those with matrix units. A busy machine holds up the many small
/// products more than the one large convolution, so a no is asked for again: the answer must not
/// change from one start to the next.
bool is_quicker(at::ScalarType dtype) {
  constexpr double kWorthwhile = 1.2;
  constexpr int kTries = 3;
  static std::mutex mutex;
  static std::map<at::ScalarType, bool> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(dtype);
  if (found != known.end()) return found->second;
  bool& result = known[dtype];
  for (int i = 0; i < kTries && !result; ++i) result = gain(dtype) >= kWorthwhile;
  return result;
}

}  // namespace

bool WinogradConv2d::is_wide_enough(int64_t in_channels, int64_t out_channels, TileInput input) {
  return std::min(in_channels, out_channels) >= kFewestChannels &&
         (input == TileInput::kDoubled || out_channels <= kMostOutChannels);
}

bool WinogradConv2d::is_for(int64_t in_channels, int64_t out_channels, TileInput input,
                            const tensor::Placement& placement) {
  return is_wide_enough(in_channels, out_channels, input) && placement.speedups.winograd &&
         onednn::can_pack(placement) && is_quicker(placement.dtype);
}

WinogradConv2d::WinogradConv2d(const at::Tensor& weight, const at::Tensor& bias, TileInput input)
    : input_(input),
      out_channels_(weight.size(0)),
      bias_(bias.defined() ? bias.to(at::kFloat).contiguous()
                           : at::zeros({out_channels_}, at::kFloat)) {
  for (const at::Tensor& product : kernels::tile_weight(weight.contiguous(), input).unbind(0))
    weights_.push_back(onednn::pack_linear(product));
}

at::Tensor WinogradConv2d::operator()(const at::Tensor& x, const at::Tensor& residual,
                                      int64_t row_padding, int64_t column_padding) const {
  const kernels::TileGrid grid(x, input_, row_padding, column_padding);
  const at::Tensor result = at::empty({grid.batch, out_channels_, grid.height, grid.width},
                                      x.options().memory_format(at::MemoryFormat::ChannelsLast));
  const at::Tensor map = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor addend =
      residual.defined() ? residual.contiguous(at::MemoryFormat::ChannelsLast) : residual;
  const int64_t at_once = tiles_at_once(x, grid);
  const auto products_of_a_tile = static_cast<int64_t>(weights_.size());
  const at::Tensor room = at::empty({products_of_a_tile * at_once * x.size(1)}, x.options());
  std::vector<at::Tensor> products(weights_.size());
  for (int64_t first = 0; first < grid.count(); first += at_once) {
    const int64_t count = std::min(at_once, grid.count() - first);
    const at::Tensor tiles = room.narrow(0, 0, products_of_a_tile * count * x.size(1))
                                 .view({products_of_a_tile, count, x.size(1)});
    kernels::cut_tiles(map, grid, first, tiles);
    for (size_t i = 0; i < weights_.size(); ++i)
      products[i] = onednn::linear(tiles.select(0, static_cast<int64_t>(i)), weights_[i], {});
    kernels::join_tiles(products, grid, first, bias_, addend, result);
  }
  return result;
}

}  // namespace kandinsky::nn
