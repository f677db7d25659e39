#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

/// CPU memory of large tensors, reused for later ones: getting new, cleared pages from the system
/// takes a tenth of the time of a UNet step, and a quarter of MoVQ's.
namespace kandinsky::tensor {

/// Free memory of former tensors. Blocks that do not fit the next tensors are freed before new ones
/// are allocated, and all of them with the arena. Tensors may be created and freed on any thread.
class Arena;

std::shared_ptr<Arena> make_arena();

/// An uninitialised tensor, in memory of this thread's RunContext::arena. It may outlive the arena.
at::Tensor recycled(at::IntArrayRef shape, const at::TensorOptions& options,
                    at::MemoryFormat format = at::MemoryFormat::Contiguous);

/// Gives the unused memory of this thread's RunContext::arena back to the system: between like
/// pieces of work, whose first tensors are smaller than the last ones of the piece before and would
/// take memory beside theirs.
void free_recycled();

}  // namespace kandinsky::tensor
