#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

/// CPU memory of large tensors, kept for the next ones: to be handed new pages by the system, which
/// clears them, takes a tenth of the time of a UNet's step, and a quarter of MoVQ's.
namespace kandinsky::tensor {

/// Memory that no tensor has. What fits none of the next tensors is given back before there is
/// more, and all of it with the arena. Tensors may be made and end on any thread.
class Arena;

std::shared_ptr<Arena> make_arena();

/// An uninitialised tensor, in memory of this thread's RunContext::arena. It may outlive the arena.
at::Tensor recycled(at::IntArrayRef shape, const at::TensorOptions& options,
                    at::MemoryFormat format = at::MemoryFormat::Contiguous);

}  // namespace kandinsky::tensor
