#include "nn/layers/tile_room.h"

#include <ATen/ops/empty.h>
#include <c10/util/accumulate.h>

#include <utility>

namespace kandinsky::nn {
namespace {

thread_local int guards = 0;
thread_local at::Tensor room;  ///< bytes

}  // namespace

TileRoomGuard::TileRoomGuard() { ++guards; }

TileRoomGuard::~TileRoomGuard() {
  if (--guards == 0) room.reset();
}

at::Tensor tile_room(at::IntArrayRef shape, at::ScalarType dtype) {
  if (guards == 0) return at::empty(shape, dtype);
  const int64_t bytes =
      c10::multiply_integers(shape) * static_cast<int64_t>(c10::elementSize(dtype));
  if (!room.defined() || room.numel() < bytes) {
    room.reset();
    room = at::empty({bytes}, at::kByte);
  }
  return room.narrow(0, 0, bytes).view(dtype).view(shape);
}

}  // namespace kandinsky::nn
