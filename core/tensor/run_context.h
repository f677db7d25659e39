#pragma once

#include <functional>
#include <memory>

#include "tensor/arena.h"
#include "tensor/scratch.h"

namespace kandinsky::tensor {

/// What the work on a thread runs under. Threads that help with it run under the same.
struct RunContext {
  /// Where large tensors take their memory from; null: from LibTorch's allocator.
  std::shared_ptr<Arena> arena;
  /// Called after each block of a network; what it throws ends the run. May be empty.
  std::function<void()> check;
  /// Networks give memory that they freed back to the system after each of their blocks. The C
  /// library would keep it in holes that the maps of the next block do not fit into: decoding an
  /// image takes twice as much then, and a tenth less time.
  bool low_memory = false;
  /// There is memory to work on several images at once.
  bool images_at_once = false;
  /// Where Winograd layers sum their weights before they pack them, one after another. With memory
  /// of its own for each, loading a UNet would ask the system for a fifth more pages. May be null.
  std::shared_ptr<Scratch> filter_scratch;
};

/// This thread's.
const RunContext& run_context();

/// While one exists, this thread's context is changed; the one before comes back afterwards.
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
