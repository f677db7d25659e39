#include "nn/kernels/tile_scratch.h"

#include <ATen/ops/empty.h>

#include <utility>

namespace kandinsky::nn {
namespace {

thread_local tensor::Scratch* current = nullptr;

}  // namespace

TileScratchGuard::TileScratchGuard() : outer_(std::exchange(current, &scratch_)) {}

TileScratchGuard::~TileScratchGuard() { current = outer_; }

at::Tensor tile_scratch(at::IntArrayRef shape, at::ScalarType dtype) {
  return current != nullptr ? current->lend(shape, dtype) : at::empty(shape, dtype);
}

}  // namespace kandinsky::nn
