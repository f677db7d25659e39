/// The input, filter and output transforms of a 3x3 convolution by Winograd's minimal filtering, on
/// a CPU.
///
/// An output tile of 2x2 positions depends on 4x4 of the map: with the map and the filter
/// transformed, 16 products replace 36. A tile of 4x4 positions depends on 6x6: 36 products replace
/// 144, but the transforms sum more elements and lose more bits. In a doubled map, with
/// equal pairs of neighbours, seven of the 16 transformed elements are zero: 9 products
/// remain.
///
/// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), F(2x2, 3x3)
/// and F(4x4, 3x3).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace kandinsky::nn::kernels {

/// How a result is cut into tiles.
enum class Tiling {
  k2x2,
  k4x4,
  kDoubled,  ///< 2x2, of the map with each position four times; the map is given undoubled
};

/// Products of a tile: 16, 36 or 9.
int64_t tile_products(Tiling tiling);

/// The positions of a map's tiles.
struct TileGrid {
  /// map: as given. Paddings: rows of zeros above and below it, columns left and right; 0 or 1.
  TileGrid(const at::Tensor& map, Tiling tiling, int64_t row_padding, int64_t column_padding);

  int64_t count() const { return batch * rows * columns; }

  Tiling tiling;
  int64_t row_padding;
  int64_t column_padding;
  int64_t map_height;
  int64_t map_width;
  int64_t batch;
  int64_t height;  ///< of the result
  int64_t width;
  int64_t rows;  ///< of tiles
  int64_t columns;
};

/// The filter transform. weight: [out, in, 3, 3], fp32 or bf16, contiguous. Returns [products, out,
/// in], of that type.
at::Tensor tile_weight(const at::Tensor& weight, Tiling tiling);

/// The input transform for tiles from `first` on. map: [B, C, H, W], channels-last. tiles:
/// [products, count, C], contiguous, of the map's type.
void cut_tiles(const at::Tensor& map, const TileGrid& grid, int64_t first, const at::Tensor& tiles);

/// The output transform of these tiles' products, plus bias and addend, into their positions of the
/// result. products: [count, out] each, contiguous. bias: fp32 [out]. addend: undefined, or of the
/// result's shape. addend and result: channels-last, of the products' type.
void join_tiles(const std::vector<at::Tensor>& products, const TileGrid& grid, int64_t first,
                const at::Tensor& bias, const at::Tensor& addend, const at::Tensor& result);

}  // namespace kandinsky::nn::kernels
