#include "nn/kernels/winograd.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nn/kernels/onednn.h"
#include "nn/kernels/winograd_kernels.h"
#include "tensor/arena.h"
#include "tensor/device.h"

namespace kandinsky::nn {
namespace {

using kernels::Tiling;

/// Below it the transforms take as long as the products that they save.
constexpr int64_t kFewestChannels = 96;
/// Wider layers hold most of the weights and have the smallest maps: much memory for little time.
constexpr int64_t kMostOutChannels = 1152;
/// The same for large tiles, whose weights take 9/4 of the memory of small ones.
constexpr int64_t kMostOutChannelsOf4x4 = 768;

/// Tiles per block: intermediate results stay in the last-level cache, and the
/// matrix products are large enough to be fast.
int64_t tiles_at_once(const at::Tensor& x, const kernels::TileGrid& grid) {
  constexpr int64_t kBytes = int64_t{16} << 20U;
  constexpr int64_t kFewest = 256;
  constexpr int64_t kMost = 1024;
  const int64_t of_one = kernels::tile_products(grid.tiling) * x.size(1) * x.element_size();
  const int64_t most = std::clamp(kBytes / of_one, kFewest, kMost);
  const int64_t parts = (grid.count() + most - 1) / most;
  return (grid.count() + parts - 1) / parts;
}

}  // namespace

std::optional<Tiling> WinogradConv2d::tiling_of(at::IntArrayRef weight_shape, bool is_doubled,
                                                bool small_tiles) {
  if (weight_shape.size() != 4 || weight_shape[2] != 3 || weight_shape[3] != 3) return {};
  if (std::min(weight_shape[0], weight_shape[1]) < kFewestChannels) return {};
  if (is_doubled) return Tiling::kDoubled;
  if (weight_shape[0] > kMostOutChannels) return {};
  return weight_shape[0] <= kMostOutChannelsOf4x4 && !small_tiles ? Tiling::k4x4 : Tiling::k2x2;
}

std::optional<Tiling> WinogradConv2d::tiling_for(at::IntArrayRef weight_shape, bool is_doubled,
                                                 const tensor::Placement& placement) {
  if (!placement.speedups.winograd || !onednn::can_pack(placement)) return {};
  return tiling_of(weight_shape, is_doubled, placement.small_tiles);
}

std::string WinogradConv2d::form(Tiling tiling) {
  return fmt::format("{} products of a tile", kernels::tile_products(tiling));
}

std::vector<at::Tensor> WinogradConv2d::prepare(const at::Tensor& weight, Tiling tiling) {
  std::vector<at::Tensor> prepared;
  for (const at::Tensor& product : kernels::tile_weight(weight.contiguous(), tiling).unbind(0))
    prepared.push_back(onednn::pack_linear(product));
  return prepared;
}

WinogradConv2d::WinogradConv2d(std::vector<at::Tensor> prepared, const at::Tensor& bias,
                               Tiling tiling)
    : tiling_(tiling),
      out_channels_(prepared.front().size(0)),
      weights_(std::move(prepared)),
      bias_(bias.defined() ? bias.to(at::kFloat).contiguous()
                           : at::zeros({out_channels_}, at::kFloat)) {}

at::Tensor WinogradConv2d::operator()(const at::Tensor& x, const at::Tensor& residual,
                                      int64_t row_padding, int64_t column_padding) const {
  const kernels::TileGrid grid(x, tiling_, row_padding, column_padding);
  const at::Tensor result = tensor::recycled({grid.batch, out_channels_, grid.height, grid.width},
                                             x.options(), at::MemoryFormat::ChannelsLast);
  const at::Tensor map = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor addend =
      residual.defined() ? residual.contiguous(at::MemoryFormat::ChannelsLast) : residual;
  const int64_t at_once = tiles_at_once(x, grid);
  const auto products_of_a_tile = static_cast<int64_t>(weights_.size());
  const at::Tensor scratch =
      tensor::recycled({products_of_a_tile * at_once * x.size(1)}, x.options());
  std::vector<at::Tensor> products(weights_.size());
  for (int64_t first = 0; first < grid.count(); first += at_once) {
    const int64_t count = std::min(at_once, grid.count() - first);
    const at::Tensor tiles = scratch.narrow(0, 0, products_of_a_tile * count * x.size(1))
                                 .view({products_of_a_tile, count, x.size(1)});
    kernels::cut_tiles(map, grid, first, tiles);
    for (size_t i = 0; i < weights_.size(); ++i)
      products[i] = onednn::linear(tiles.select(0, static_cast<int64_t>(i)), weights_[i], {});
    kernels::join_tiles(products, grid, first, bias_, addend, result);
  }
  return result;
}

}  // namespace kandinsky::nn
