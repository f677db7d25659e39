#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

namespace kandinsky {

/// The Levenshtein distance: the number of letters to change, add or remove.
inline std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> costs(to.size() + 1);
  std::iota(costs.begin(), costs.end(), std::size_t{0});
  for (const char letter : from) {
    std::size_t diagonal = costs[0]++;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::size_t replaced = diagonal + (letter == to[i] ? 0 : 1);
      diagonal = costs[i + 1];
      costs[i + 1] = std::min({replaced, costs[i + 1] + 1, costs[i] + 1});
    }
  }
  return costs.back();
}

}  // namespace kandinsky
