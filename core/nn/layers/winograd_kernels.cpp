#include "nn/layers/winograd_kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "nn/layers/kernel_numbers.h"
#include "nn/layers/tile_room.h"

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

/// Of the four sums along a dimension, those that are not zero.
template <TileInput input>
constexpr int64_t kSums = input == TileInput::kMap ? 4 : 3;

/// Where a tile's places or products begin.
template <typename Number, TileInput input>
using Starts = std::array<const Number*, static_cast<size_t>(kSums<input>* kSums<input>)>;

// --- sums along one dimension --------------------------------------------------------------------

/// Over the map: kSums places become kSums sums. Steps between them: in numbers of Channels.
template <TileInput input>
KANDINSKY_INLINE void sum_places(const Channels* from, Channels* to, int64_t step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[step][c];
    const float d = from[2 * step][c];
    if constexpr (input == TileInput::kMap) {
      const float e = from[3 * step][c];
      to[0][c] = a - d;
      to[step][c] = b + d;
      to[2 * step][c] = d - b;
      to[3 * step][c] = b - e;
    } else {
      // The places are a, b, b, d; the third sum is b - b.
      to[0][c] = a - b;
      to[step][c] = b + b;
      to[2 * step][c] = b - d;
    }
  }
}

/// Over the kernel: 3 weights become kSums sums.
template <TileInput input>
KANDINSKY_INLINE void sum_weights(const Channels* from, int64_t from_step, Channels* to,
                                  int64_t to_step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[from_step][c];
    const float d = from[2 * from_step][c];
    to[0][c] = a;
    to[to_step][c] = 0.5F * (a + b + d);
    if constexpr (input == TileInput::kMap) to[2 * to_step][c] = 0.5F * (a - b + d);
    to[(kSums<input> - 1) * to_step][c] = d;
  }
}

/// Over the products: kSums of them become two places of the result.
template <TileInput input>
KANDINSKY_INLINE void sum_products(const Channels* from, int64_t from_step, Channels* to,
                                   int64_t to_step) {
  for (int64_t c = 0; c < kChannelsAtOnce; ++c) {
    const float a = from[0][c];
    const float b = from[from_step][c];
    const float d = from[2 * from_step][c];
    if constexpr (input == TileInput::kMap) {
      const float e = from[3 * from_step][c];
      to[0][c] = a + b + d;
      to[to_step][c] = b - d - e;
    } else {
      to[0][c] = a + b;
      to[to_step][c] = b - d;
    }
  }
}

// --- one tile ------------------------------------------------------------------------------------

/// places: the kSums x kSums places of the map. sums: the first one's place in the tiles, the
/// others follow `stride` numbers apart.
template <typename Number, TileInput input>
KANDINSKY_INLINE void cut_tile(const Number* const* places, int64_t channels, Number* sums,
                               int64_t stride) {
  constexpr int64_t n = kSums<input>;
  Channels values[n * n];
  Channels half[n * n];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < n * n; ++i) load(places[i] + begin, 1, count, values[i]);
    for (int64_t column = 0; column < n; ++column)
      sum_places<input>(values + column, half + column, n);
    for (int64_t row = 0; row < n; ++row) sum_places<input>(half + row * n, values + row * n, 1);
    for (int64_t i = 0; i < n * n; ++i) save(values[i], count, sums + i * stride + begin);
  }
}

/// What one tile's products become.
template <typename Number>
struct Joint {
  const float* bias;
  /// By row and column; null: beyond the result's borders, or nothing to add.
  std::array<const Number*, 4> addends;
  std::array<Number*, 4> places;
};

template <typename Number, TileInput input>
KANDINSKY_INLINE void join_tile(const Number* const* products, int64_t channels,
                                const Joint<Number>& joint) {
  constexpr int64_t n = kSums<input>;
  Channels values[n * n];
  Channels half[2 * n];
  Channels results[4];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < n * n; ++i) load(products[i] + begin, 1, count, values[i]);
    for (int64_t column = 0; column < n; ++column)
      sum_products<input>(values + column, n, half + column, n);
    for (int64_t row = 0; row < 2; ++row)
      sum_products<input>(half + row * n, 1, results + 2 * row, 1);
    const float* const bias = joint.bias + begin;
    for (size_t i = 0; i < 4; ++i) {
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
template <typename Number, TileInput input>
KANDINSKY_INLINE void sum_kernels(const Number* kernels, int64_t channels, Number* sums,
                                  int64_t stride) {
  constexpr int64_t n = kSums<input>;
  Channels weights[9];
  Channels half[3 * n];
  Channels values[n * n];
  for (int64_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    const int64_t count = std::min(kChannelsAtOnce, channels - begin);
    for (int64_t i = 0; i < 9; ++i) load(kernels + 9 * begin + i, 9, count, weights[i]);
    for (int64_t column = 0; column < 3; ++column)
      sum_weights<input>(weights + column, 3, half + column, 3);
    for (int64_t row = 0; row < n; ++row)
      sum_weights<input>(half + row * 3, 1, values + row * n, 1);
    for (int64_t i = 0; i < n * n; ++i) save(values[i], count, sums + i * stride + begin);
  }
}

// --- machine code for each kind of CPU -----------------------------------------------------------

#define KANDINSKY_TILE_FUNCTIONS(Number, name, input)                                           \
  KANDINSKY_FOR_EACH_CPU void cut_##name(const Number* const* places, int64_t channels,         \
                                         Number* sums, int64_t stride) {                        \
    cut_tile<Number, input>(places, channels, sums, stride);                                    \
  }                                                                                             \
  KANDINSKY_FOR_EACH_CPU void join_##name(const Number* const* products, int64_t channels,      \
                                          const Joint<Number>& joint) {                         \
    join_tile<Number, input>(products, channels, joint);                                        \
  }                                                                                             \
  KANDINSKY_FOR_EACH_CPU void sum_##name(const Number* kernels, int64_t channels, Number* sums, \
                                         int64_t stride) {                                      \
    sum_kernels<Number, input>(kernels, channels, sums, stride);                                \
  }

KANDINSKY_TILE_FUNCTIONS(float, map, TileInput::kMap)
KANDINSKY_TILE_FUNCTIONS(float, doubled, TileInput::kDoubled)
KANDINSKY_TILE_FUNCTIONS(BFloat16, map, TileInput::kMap)
KANDINSKY_TILE_FUNCTIONS(BFloat16, doubled, TileInput::kDoubled)
#undef KANDINSKY_TILE_FUNCTIONS

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

template <typename Number, TileInput input>
void cut(const at::Tensor& map, const TileGrid& grid, int64_t first, const at::Tensor& tiles) {
  using Places = Starts<Number, input>;
  constexpr int64_t n = kSums<input>;
  constexpr int64_t kStep = input == TileInput::kMap ? 2 : 1;  // places of the map between tiles
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
      if constexpr (input == TileInput::kMap) {
        cut_map(places.data(), channels, to + i * channels, count * channels);
      } else {
        cut_doubled(places.data(), channels, to + i * channels, count * channels);
      }
    }
  });
}

template <typename Number, TileInput input>
void join(const std::vector<at::Tensor>& products, const TileGrid& grid, int64_t first,
          const at::Tensor& bias, const at::Tensor& addend, const at::Tensor& result) {
  using Products = Starts<Number, input>;
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
      Joint<Number> joint{.bias = biases, .addends = {}, .places = {}};
      for (size_t k = 0; k < 4; ++k) {
        const int64_t row = 2 * tile.row + static_cast<int64_t>(k / 2);
        const int64_t column = 2 * tile.column + static_cast<int64_t>(k % 2);
        if (row >= grid.height || column >= grid.width) continue;
        const int64_t at = ((tile.batch * grid.height + row) * grid.width + column) * channels;
        joint.places[k] = to + at;
        joint.addends[k] = added != nullptr ? added + at : nullptr;
      }
      if constexpr (input == TileInput::kMap) {
        join_map(own.data(), channels, joint);
      } else {
        join_doubled(own.data(), channels, joint);
      }
    }
  });
}

template <typename Number, TileInput input>
void sum_all(const at::Tensor& weight, const at::Tensor& result) {
  const auto* const from = static_cast<const Number*>(weight.const_data_ptr());
  auto* const to = static_cast<Number*>(result.data_ptr());
  const int64_t channels = weight.size(1);
  at::parallel_for(0, weight.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t out = begin; out < end; ++out) {
      const Number* const kernels = from + 9 * out * channels;
      Number* const sums = to + out * channels;
      if constexpr (input == TileInput::kMap) {
        sum_map(kernels, channels, sums, weight.size(0) * channels);
      } else {
        sum_doubled(kernels, channels, sums, weight.size(0) * channels);
      }
    }
  });
}

/// call(Number{}, std::integral_constant<TileInput, input>{})
template <typename Call>
void for_types(at::ScalarType dtype, TileInput input, const Call& call) {
  TORCH_INTERNAL_ASSERT(dtype == at::kFloat || dtype == at::kBFloat16);
  const auto with_input = [&](auto tile_input) {
    if (dtype == at::kFloat) {
      call(float{}, tile_input);
    } else {
      call(BFloat16{}, tile_input);
    }
  };
  if (input == TileInput::kMap) {
    with_input(std::integral_constant<TileInput, TileInput::kMap>{});
  } else {
    with_input(std::integral_constant<TileInput, TileInput::kDoubled>{});
  }
}

bool is_channels_last(const at::Tensor& map) {
  return map.dim() == 4 && map.is_cpu() && map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

int64_t tile_products(TileInput input) { return input == TileInput::kMap ? 16 : 9; }

TileGrid::TileGrid(const at::Tensor& map, TileInput tile_input, int64_t padding_of_rows,
                   int64_t padding_of_columns)
    : input(tile_input),
      row_padding(padding_of_rows),
      column_padding(padding_of_columns),
      map_height(map.size(2)),
      map_width(map.size(3)),
      batch(map.size(0)) {
  const int64_t scale = input == TileInput::kMap ? 1 : 2;
  height = scale * (map_height - 2 + 2 * row_padding);
  width = scale * (map_width - 2 + 2 * column_padding);
  rows = (height + 1) / 2;
  columns = (width + 1) / 2;
}

at::Tensor tile_weight(const at::Tensor& weight, TileInput input) {
  TORCH_INTERNAL_ASSERT(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 &&
                        weight.is_contiguous());
  const at::Tensor result =
      tile_room({tile_products(input), weight.size(0), weight.size(1)}, weight.scalar_type());
  for_types(weight.scalar_type(), input, [&](auto number, auto tile_input) {
    sum_all<decltype(number), decltype(tile_input)::value>(weight, result);
  });
  return result;
}

void cut_tiles(const at::Tensor& map, const TileGrid& grid, int64_t first,
               const at::Tensor& tiles) {
  TORCH_INTERNAL_ASSERT(is_channels_last(map) && tiles.is_contiguous() &&
                        tiles.scalar_type() == map.scalar_type() && tiles.size(2) == map.size(1) &&
                        tiles.size(0) == tile_products(grid.input) &&
                        first + tiles.size(1) <= grid.count());
  for_types(map.scalar_type(), grid.input, [&](auto number, auto tile_input) {
    cut<decltype(number), decltype(tile_input)::value>(map, grid, first, tiles);
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
  TORCH_INTERNAL_ASSERT(static_cast<int64_t>(products.size()) == tile_products(grid.input));
  for (const at::Tensor& product : products) {
    TORCH_INTERNAL_ASSERT(product.is_contiguous() && product.size(1) == result.size(1) &&
                          product.scalar_type() == result.scalar_type() &&
                          product.sizes() == products.front().sizes());
  }
  for_types(result.scalar_type(), grid.input, [&](auto number, auto tile_input) {
    join<decltype(number), decltype(tile_input)::value>(products, grid, first, bias, addend,
                                                        result);
  });
}

}  // namespace kandinsky::nn::kernels
