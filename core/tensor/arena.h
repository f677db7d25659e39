#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

/// CPU memory of large tensors, kept for the next ones: to be handed new pages by the system, which
/// clears them, takes a tenth of the time of a UNet's step, and a quarter of MoVQ's.
namespace kandinsky::tensor {

class IdleMemory;

/// While one exists, `recycled` on this thread finds the memory of its tensors that are gone. What
/// fits none of the next ones is given back before there is more, and all of it with the guard.
class RecyclingGuard {
 public:
  RecyclingGuard();
  ~RecyclingGuard();
  RecyclingGuard(const RecyclingGuard&) = delete;
  RecyclingGuard& operator=(const RecyclingGuard&) = delete;

 private:
  std::shared_ptr<IdleMemory> outer_;
};

/// What this thread's guard keeps, for others that work on its behalf.
class SharedIdleMemory {
 public:
  SharedIdleMemory();

  /// While one exists, `recycled` on this thread finds that memory.
  class Guard {
   public:
    explicit Guard(const SharedIdleMemory& shared);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::shared_ptr<IdleMemory> outer_;
  };

 private:
  std::shared_ptr<IdleMemory> memory_;
};

/// An uninitialised tensor. It may outlive the guard.
at::Tensor recycled(at::IntArrayRef shape, const at::TensorOptions& options,
                    at::MemoryFormat format = at::MemoryFormat::Contiguous);

}  // namespace kandinsky::tensor
