#pragma once

#include "tensor/scratch.h"

/// Memory in which the weights of WinogradConv2d are summed before they are packed.
namespace kandinsky::nn {

/// While one exists, layers that are made on this thread sum their weights in the same memory, one
/// after another. With memory of its own for each, a fifth more pages would be asked of the system
/// while a UNet is loaded.
class TileScratchGuard {
 public:
  TileScratchGuard();
  ~TileScratchGuard();
  TileScratchGuard(const TileScratchGuard&) = delete;
  TileScratchGuard& operator=(const TileScratchGuard&) = delete;

 private:
  tensor::Scratch scratch_;
  tensor::Scratch* outer_;
};

/// An uninitialised tensor; within a guard, one that is valid until the next is asked for.
at::Tensor tile_scratch(at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace kandinsky::nn
