#pragma once

#include <ATen/core/Tensor.h>

/// Memory in which the weights of WinogradConv2d are summed before they are packed.
namespace kandinsky::nn {

/// While one exists, layers that are made on this thread sum their weights in the same memory, one
/// after another. With memory of its own for each, a system that hands it out in pages of 4 kB
/// takes longer over that than the sums do.
class TileRoomGuard {
 public:
  TileRoomGuard();
  ~TileRoomGuard();
  TileRoomGuard(const TileRoomGuard&) = delete;
  TileRoomGuard& operator=(const TileRoomGuard&) = delete;
};

/// An uninitialised tensor; within a guard, one that is valid until the next is asked for.
at::Tensor tile_room(at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace kandinsky::nn
