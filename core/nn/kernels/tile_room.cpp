#include "nn/kernels/tile_room.h"

#include <ATen/ops/empty.h>

#include <utility>

namespace kandinsky::nn {
namespace {

thread_local tensor::Room* current = nullptr;

}  // namespace

TileRoomGuard::TileRoomGuard() : outer_(std::exchange(current, &room_)) {}

TileRoomGuard::~TileRoomGuard() { current = outer_; }

at::Tensor tile_room(at::IntArrayRef shape, at::ScalarType dtype) {
  return current != nullptr ? current->lend(shape, dtype) : at::empty(shape, dtype);
}

}  // namespace kandinsky::nn
