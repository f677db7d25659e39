#include "nn/layers/map_tokens.h"

#include <cstdint>

namespace kandinsky::nn {

at::Tensor map_to_tokens(const at::Tensor& map) {
  return map.permute({0, 2, 3, 1}).reshape({map.size(0), map.size(2) * map.size(3), map.size(1)});
}

at::Tensor tokens_to_map(const at::Tensor& tokens, int64_t height, int64_t width) {
  return tokens.view({tokens.size(0), height, width, tokens.size(2)}).permute({0, 3, 1, 2});
}

}  // namespace kandinsky::nn
