#include "nn/kernels/winograd_kernels.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "nn/kernels/element_loops.h"
#include "tensor/run_context.h"
#include "tensor/scratch.h"

namespace kandinsky::nn::kernels {
namespace {

/// Channels that are worked on at a time: what belongs to them stays in the innermost cache. Short
/// loops of one kind each become vector code.
constexpr int64_t kChannelsAtOnce = 64;
using Channels = float[kChannelsAtOnce];

/// A block of channels, `step` numbers apart, in fp32; beyond its end zeros.
template <typename Number>
KANDINSKY_INLINE void load(const Number* from, int64_t step, int64_t count, Channels& to) {
  for (int64_t c = 0; c < count; ++c) to[c] = to_float(from[step * c]);
  for (int64_t c = count; c < kChannelsAtOnce; ++c) to[c] = 0.0F;
}

template <typename Number>
KANDINSKY_INLINE void save(const Channels& from, int64_t count, Number* to) {
  for (int64_t c = 0; c < count; ++c) store(from[c], to[c]);
}

/// What a tiling has along a dimension.
struct Counts {
  int64_t sums;    ///< over as many places of the map, those that are not zero
  int64_t places;  ///< of the result
  int64_t step;    ///< places of the map between tiles
};

constexpr Counts counts_of(Tiling tiling) {
  switch (tiling) {
    case Tiling::k2x2:
      return {.sums = 4, .places = 2, .step = 2};
    case Tiling::k4x4:
      return {.sums = 6, .places = 4, .step = 4};
    case Tiling::kDoubled:
      break;
  }
  return {.sums = 3, .places = 2, .step = 1};
}

template <Tiling tiling>
constexpr int64_t kSums = counts_of(tiling).sums;
template <Tiling tiling>
constexpr int64_t kPlaces = counts_of(tiling).places;

/// Where a tile's places or products begin.
template <typename Number, Tiling tiling>
using Starts = std::array<const Number*, static_cast<size_t>(kSums<tiling>* kSums<tiling>)>;

/// The points at which k4x4 takes its polynomials, 0, +-a, +-b and infinity. Of all that are their
/// own reciprocals these lose the fewest bits: half as many as the whole numbers 1 and 2.
constexpr float kA = 0.70710678F;
constexpr float kB = 1.41421356F;

// --- sums along one dimension --------------------------------------------------------------------

/// Over the map: kSums places become kSums sums. Steps between them: in numbers of Channels.
template <Tiling tiling>
KANDINSKY_INLINE void sum_places(const Channels* from, Channels* to, int64_t step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[step][c];
    const float d = from[2 * step][c];
    if constexpr (tiling == Tiling::k2x2) {
      const float e = from[3 * step][c];
      to[0][c] = a - d;
      to[step][c] = b + d;
      to[2 * step][c] = d - b;
      to[3 * step][c] = b - e;
    } else if constexpr (tiling == Tiling::k4x4) {
      const float e = from[3 * step][c];
      const float f = from[4 * step][c];
      const float g = from[5 * step][c];
      const float even_a = f - 2.0F * d;
      const float odd_a = kA * e - kB * b;
      const float even_b = f - 0.5F * d;
      const float odd_b = kB * e - kA * b;
      to[0][c] = a - 2.5F * d + f;
      to[step][c] = even_a + odd_a;
      to[2 * step][c] = even_a - odd_a;
      to[3 * step][c] = even_b + odd_b;
      to[4 * step][c] = even_b - odd_b;
      to[5 * step][c] = b - 2.5F * e + g;
    } else {
      // The places are a, b, b, d; the third sum is b - b.
      to[0][c] = a - b;
      to[step][c] = b + b;
      to[2 * step][c] = b - d;
    }
  }
}

/// Over the kernel: 3 weights become kSums sums.
template <Tiling tiling>
KANDINSKY_INLINE void sum_weights(const Channels* from, int64_t from_step, Channels* to,
                                  int64_t to_step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[from_step][c];
    const float d = from[2 * from_step][c];
    to[0][c] = a;
    to[(kSums<tiling> - 1) * to_step][c] = d;
    if constexpr (tiling == Tiling::k4x4) {
      const float even_a = (a + 0.5F * d) / -1.5F;
      const float odd_a = kA / -1.5F * b;
      const float even_b = (a + 2.0F * d) / 6.0F;
      const float odd_b = kB / 6.0F * b;
      to[to_step][c] = even_a + odd_a;
      to[2 * to_step][c] = even_a - odd_a;
      to[3 * to_step][c] = even_b + odd_b;
      to[4 * to_step][c] = even_b - odd_b;
    } else {
      to[to_step][c] = 0.5F * (a + b + d);
      if constexpr (tiling == Tiling::k2x2) to[2 * to_step][c] = 0.5F * (a - b + d);
    }
  }
}

/// Over the products: kSums of them become kPlaces of the result.
template <Tiling tiling>
KANDINSKY_INLINE void sum_products(const Channels* from, int64_t from_step, Channels* to,
                                   int64_t to_step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[from_step][c];
    const float d = from[2 * from_step][c];
    if constexpr (tiling == Tiling::k2x2) {
      const float e = from[3 * from_step][c];
      to[0][c] = a + b + d;
      to[to_step][c] = b - d - e;
    } else if constexpr (tiling == Tiling::k4x4) {
      const float e = from[3 * from_step][c];
      const float f = from[4 * from_step][c];
      const float g = from[5 * from_step][c];
      const float even_a = b + d;
      const float odd_a = kA * (b - d);
      const float even_b = e + f;
      const float odd_b = kB * (e - f);
      to[0][c] = a + even_a + even_b;
      to[to_step][c] = odd_a + odd_b;
      to[2 * to_step][c] = 0.5F * even_a + 2.0F * even_b;
      to[3 * to_step][c] = 0.5F * odd_a + 2.0F * odd_b + g;
    } else {
      to[0][c] = a + b;
      to[to_step][c] = b - d;
    }
  }
}

// --- one tile ------------------------------------------------------------------------------------

/// places: the kSums x kSums places of the map. sums: the first one's place in the tiles, the
/// others follow `stride` numbers apart.
template <typename Number, Tiling tiling>
KANDINSKY_INLINE void cut_tile(const Number* const* places, int64_t channels, Number* sums,
                               int64_t stride) {
  constexpr int64_t n = kSums<tiling>;
  Channels values[n * n];
  Channels half[n * n];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < n * n; ++i) load(places[i] + begin, 1, count, values[i]);
    for (int64_t column = 0; column < n; ++column)
      sum_places<tiling>(values + column, half + column, n);
    for (int64_t row = 0; row < n; ++row) sum_places<tiling>(half + row * n, values + row * n, 1);
    for (int64_t i = 0; i < n * n; ++i) save(values[i], count, sums + i * stride + begin);
  }
}

/// What one tile's products become.
template <typename Number, Tiling tiling>
struct Joint {
  static constexpr auto kCount = static_cast<size_t>(kPlaces<tiling> * kPlaces<tiling>);
  const float* bias;
  /// By row and column; null: beyond the result's borders, or nothing to add.
  std::array<const Number*, kCount> addends;
  std::array<Number*, kCount> places;
};

template <typename Number, Tiling tiling>
KANDINSKY_INLINE void join_tile(const Number* const* products, int64_t channels,
                                const Joint<Number, tiling>& joint) {
  constexpr int64_t n = kSums<tiling>;
  constexpr int64_t m = kPlaces<tiling>;
  Channels values[n * n];
  Channels half[m * n];
  Channels results[m * m];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < n * n; ++i) load(products[i] + begin, 1, count, values[i]);
    for (int64_t column = 0; column < n; ++column)
      sum_products<tiling>(values + column, n, half + column, n);
    for (int64_t row = 0; row < m; ++row)
      sum_products<tiling>(half + row * n, 1, results + m * row, 1);
    const float* const bias = joint.bias + begin;
    for (size_t i = 0; i < joint.kCount; ++i) {
      if (joint.places[i] == nullptr) continue;
      float* const result = results[i];
      for (int64_t c = 0; c < count; ++c) result[c] += bias[c];
      if (joint.addends[i] != nullptr) {
        const Number* const addend = joint.addends[i] + begin;
        for (int64_t c = 0; c < count; ++c) result[c] += to_float(addend[c]);
      }
      save(results[i], count, joint.places[i] + begin);
    }
  }
}

/// kernels: of one channel of the result, [in, 3, 3].
template <typename Number, Tiling tiling>
KANDINSKY_INLINE void sum_kernels(const Number* kernels, int64_t channels, Number* sums,
                                  int64_t stride) {
  constexpr int64_t n = kSums<tiling>;
  Channels weights[9];
  Channels half[3 * n];
  Channels values[n * n];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < 9; ++i) load(kernels + 9 * begin + i, 9, count, weights[i]);
    for (int64_t column = 0; column < 3; ++column)
      sum_weights<tiling>(weights + column, 3, half + column, 3);
    for (int64_t row = 0; row < n; ++row)
      sum_weights<tiling>(half + row * 3, 1, values + row * n, 1);
    for (int64_t i = 0; i < n * n; ++i) save(values[i], count, sums + i * stride + begin);
  }
}

// --- machine code for each kind of CPU -----------------------------------------------------------

/// The code for a tiling.
template <typename Number, Tiling tiling>
struct Code;

#define KANDINSKY_TILE_CODE(Number, tiling, name)                                                  \
  KANDINSKY_FOR_EACH_CPU void cut_##name(const Number* const* places, int64_t channels,            \
                                         Number* sums, int64_t stride) {                           \
    cut_tile<Number, tiling>(places, channels, sums, stride);                                      \
  }                                                                                                \
  KANDINSKY_FOR_EACH_CPU void join_##name(const Number* const* products, int64_t channels,         \
                                          const Joint<Number, tiling>& joint) {                    \
    join_tile<Number, tiling>(products, channels, joint);                                          \
  }                                                                                                \
  KANDINSKY_FOR_EACH_CPU void sum_##name(const Number* kernels, int64_t channels, Number* sums,    \
                                         int64_t stride) {                                         \
    sum_kernels<Number, tiling>(kernels, channels, sums, stride);                                  \
  }                                                                                                \
  template <>                                                                                      \
  struct Code<Number, tiling> {                                                                    \
    static void cut(const Number* const* places, int64_t channels, Number* sums, int64_t stride) { \
      cut_##name(places, channels, sums, stride);                                                  \
    }                                                                                              \
    static void join(const Number* const* products, int64_t channels,                              \
                     const Joint<Number, tiling>& joint) {                                         \
      join_##name(products, channels, joint);                                                      \
    }                                                                                              \
    static void sum(const Number* kernels, int64_t channels, Number* sums, int64_t stride) {       \
      sum_##name(kernels, channels, sums, stride);                                                 \
    }                                                                                              \
  };

KANDINSKY_TILE_CODE(float, Tiling::k2x2, 2x2)
KANDINSKY_TILE_CODE(float, Tiling::k4x4, 4x4)
KANDINSKY_TILE_CODE(float, Tiling::kDoubled, doubled)
KANDINSKY_TILE_CODE(BFloat16, Tiling::k2x2, 2x2)
KANDINSKY_TILE_CODE(BFloat16, Tiling::k4x4, 4x4)
KANDINSKY_TILE_CODE(BFloat16, Tiling::kDoubled, doubled)
#undef KANDINSKY_TILE_CODE

// --- all tiles -----------------------------------------------------------------------------------

/// Where a tile lies.
struct Tile {
  int64_t batch;
  int64_t row;
  int64_t column;
};

Tile tile_at(const TileGrid& grid, int64_t index) {
  const int64_t of_one = grid.rows * grid.columns;
  return {.batch = index / of_one,
          .row = index % of_one / grid.columns,
          .column = index % grid.columns};
}

/// Tiles of which a thread takes so many at least.
constexpr int64_t kTilesPerTask = 16;

template <typename Number, Tiling tiling>
void cut(const at::Tensor& map, const TileGrid& grid, int64_t first, const at::Tensor& tiles) {
  using Places = Starts<Number, tiling>;
  constexpr int64_t n = kSums<tiling>;
  constexpr int64_t kStep = counts_of(tiling).step;
  const auto* const from = static_cast<const Number*>(map.const_data_ptr());
  auto* const to = static_cast<Number*>(tiles.data_ptr());
  const int64_t count = tiles.size(1);
  const int64_t channels = tiles.size(2);
  const std::vector<Number> beyond(static_cast<size_t>(channels), Number{});
  at::parallel_for(0, count, kTilesPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Tile tile = tile_at(grid, first + i);
      Places places;
      for (int64_t y = 0; y < n; ++y) {
        const int64_t row = kStep * tile.row + y - grid.row_padding;
        for (int64_t x = 0; x < n; ++x) {
          const int64_t column = kStep * tile.column + x - grid.column_padding;
          const bool is_inside =
              row >= 0 && row < grid.map_height && column >= 0 && column < grid.map_width;
          places[static_cast<size_t>(n * y + x)] =
              is_inside ? from + ((tile.batch * grid.map_height + row) * grid.map_width + column) *
                                     channels
                        : beyond.data();
        }
      }
      Code<Number, tiling>::cut(places.data(), channels, to + i * channels, count * channels);
    }
  });
}

template <typename Number, Tiling tiling>
void join(const std::vector<at::Tensor>& products, const TileGrid& grid, int64_t first,
          const at::Tensor& bias, const at::Tensor& addend, const at::Tensor& result) {
  using Products = Starts<Number, tiling>;
  constexpr int64_t m = kPlaces<tiling>;
  const int64_t count = products.front().size(0);
  const int64_t channels = products.front().size(1);
  const auto* const biases = bias.const_data_ptr<float>();
  const auto* const added =
      addend.defined() ? static_cast<const Number*>(addend.const_data_ptr()) : nullptr;
  auto* const to = static_cast<Number*>(result.data_ptr());
  Products from;
  for (size_t i = 0; i < from.size(); ++i)
    from[i] = static_cast<const Number*>(products[i].const_data_ptr());
  at::parallel_for(0, count, kTilesPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Tile tile = tile_at(grid, first + i);
      Products own;
      for (size_t k = 0; k < own.size(); ++k) own[k] = from[k] + i * channels;
      Joint<Number, tiling> joint{.bias = biases, .addends = {}, .places = {}};
      for (size_t k = 0; k < joint.kCount; ++k) {
        const int64_t row = m * tile.row + static_cast<int64_t>(k) / m;
        const int64_t column = m * tile.column + static_cast<int64_t>(k) % m;
        if (row >= grid.height || column >= grid.width) continue;
        const int64_t at = ((tile.batch * grid.height + row) * grid.width + column) * channels;
        joint.places[k] = to + at;
        joint.addends[k] = added != nullptr ? added + at : nullptr;
      }
      Code<Number, tiling>::join(own.data(), channels, joint);
    }
  });
}

template <typename Number, Tiling tiling>
void sum_all(const at::Tensor& weight, const at::Tensor& result) {
  const auto* const from = static_cast<const Number*>(weight.const_data_ptr());
  auto* const to = static_cast<Number*>(result.data_ptr());
  const int64_t channels = weight.size(1);
  at::parallel_for(0, weight.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t out = begin; out < end; ++out) {
      const Number* const kernels = from + 9 * out * channels;
      Number* const sums = to + out * channels;
      Code<Number, tiling>::sum(kernels, channels, sums, weight.size(0) * channels);
    }
  });
}

/// call(Number{}, std::integral_constant<Tiling, tiling>{})
template <typename Call>
void for_types(at::ScalarType dtype, Tiling tiling, const Call& call) {
  TORCH_INTERNAL_ASSERT(dtype == at::kFloat || dtype == at::kBFloat16);
  const auto with_tiling = [&](auto of_tiling) {
    if (dtype == at::kFloat) {
      call(float{}, of_tiling);
    } else {
      call(BFloat16{}, of_tiling);
    }
  };
  switch (tiling) {
    case Tiling::k2x2:
      return with_tiling(std::integral_constant<Tiling, Tiling::k2x2>{});
    case Tiling::k4x4:
      return with_tiling(std::integral_constant<Tiling, Tiling::k4x4>{});
    case Tiling::kDoubled:
      return with_tiling(std::integral_constant<Tiling, Tiling::kDoubled>{});
  }
}

bool is_channels_last(const at::Tensor& map) {
  return map.dim() == 4 && map.is_cpu() && map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

int64_t tile_products(Tiling tiling) {
  const int64_t n = counts_of(tiling).sums;
  return n * n;
}

TileGrid::TileGrid(const at::Tensor& map, Tiling of_tiling, int64_t padding_of_rows,
                   int64_t padding_of_columns)
    : tiling(of_tiling),
      row_padding(padding_of_rows),
      column_padding(padding_of_columns),
      map_height(map.size(2)),
      map_width(map.size(3)),
      batch(map.size(0)) {
  const int64_t scale = tiling == Tiling::kDoubled ? 2 : 1;
  height = scale * (map_height - 2 + 2 * row_padding);
  width = scale * (map_width - 2 + 2 * column_padding);
  const int64_t places = counts_of(tiling).places;
  rows = (height + places - 1) / places;
  columns = (width + places - 1) / places;
}

at::Tensor tile_weight(const at::Tensor& weight, Tiling tiling) {
  TORCH_INTERNAL_ASSERT(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 &&
                        weight.is_contiguous());
  const std::array shape{tile_products(tiling), weight.size(0), weight.size(1)};
  tensor::Scratch* const scratch = tensor::run_context().filter_scratch.get();
  const at::Tensor result = scratch != nullptr ? scratch->lend(shape, weight.scalar_type())
                                               : at::empty(shape, weight.scalar_type());
  for_types(weight.scalar_type(), tiling, [&](auto number, auto of_tiling) {
    sum_all<decltype(number), decltype(of_tiling)::value>(weight, result);
  });
  return result;
}

void cut_tiles(const at::Tensor& map, const TileGrid& grid, int64_t first,
               const at::Tensor& tiles) {
  TORCH_INTERNAL_ASSERT(is_channels_last(map) && tiles.is_contiguous() &&
                        tiles.scalar_type() == map.scalar_type() && tiles.size(2) == map.size(1) &&
                        tiles.size(0) == tile_products(grid.tiling) &&
                        first + tiles.size(1) <= grid.count());
  for_types(map.scalar_type(), grid.tiling, [&](auto number, auto of_tiling) {
    cut<decltype(number), decltype(of_tiling)::value>(map, grid, first, tiles);
  });
}

void join_tiles(const std::vector<at::Tensor>& products, const TileGrid& grid, int64_t first,
                const at::Tensor& bias, const at::Tensor& addend, const at::Tensor& result) {
  TORCH_INTERNAL_ASSERT(is_channels_last(result) && result.size(2) == grid.height &&
                        result.size(3) == grid.width && bias.scalar_type() == at::kFloat &&
                        bias.size(0) == result.size(1));
  TORCH_INTERNAL_ASSERT(!addend.defined() ||
                        (is_channels_last(addend) && addend.sizes() == result.sizes() &&
                         addend.scalar_type() == result.scalar_type()));
  TORCH_INTERNAL_ASSERT(static_cast<int64_t>(products.size()) == tile_products(grid.tiling));
  for (const at::Tensor& product : products) {
    TORCH_INTERNAL_ASSERT(product.is_contiguous() && product.size(1) == result.size(1) &&
                          product.scalar_type() == result.scalar_type() &&
                          product.sizes() == products.front().sizes());
  }
  for_types(result.scalar_type(), grid.tiling, [&](auto number, auto of_tiling) {
    join<decltype(number), decltype(of_tiling)::value>(products, grid, first, bias, addend, result);
  });
}

}  // namespace kandinsky::nn::kernels
