#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "tensor/arena.h"
#include "tensor/scratch.h"

namespace kandinsky::tensor {

/// The context of the work on a thread. Helper threads use the same.
struct RunContext {
  /// Memory of large tensors; null: LibTorch's allocator.
  std::shared_ptr<Arena> arena;
  /// Called after each block of a network; its exceptions end the run. May be empty.
  std::function<void()> check;
  /// Networks return freed memory to the system after each of their blocks. Otherwise the C
  /// library keeps it in holes that the maps of the next block do not fit into: decoding an
  /// image then takes twice the memory and a tenth less time.
  bool low_memory = false;
  /// There is enough memory to run so many images at once.
  int64_t images_at_once = 1;
  /// Scratch for Winograd layers to transform weights before packing, one after another. With
  /// separate memory for each, loading a UNet would need a fifth more pages. May be null.
  std::shared_ptr<Scratch> filter_scratch;
};

/// This thread's context.
const RunContext& run_context();

/// Changes this thread's context while it exists, and restores the previous one.
class RunScope {
 public:
  explicit RunScope(const std::function<void(RunContext&)>& change);
  ~RunScope();
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  RunContext outer_;
};

/// Called by networks after each block.
void end_block();

}  // namespace kandinsky::tensor
