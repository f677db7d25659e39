/// What happens between the blocks of a network.
#pragma once

#include <functional>

namespace kandinsky::tensor {

/// While one exists, networks that run on this thread give memory that they freed back to the
/// machine after each of their blocks. The C library would keep it in holes that the maps of the
/// next block do not fit into: a decoded image takes twice as much then, and a tenth less time.
class LowMemoryGuard {
 public:
  explicit LowMemoryGuard(bool is_low_memory);
  ~LowMemoryGuard();
  LowMemoryGuard(const LowMemoryGuard&) = delete;
  LowMemoryGuard& operator=(const LowMemoryGuard&) = delete;

 private:
  bool was_low_memory_;
};

/// While one exists, networks that run on this thread call `check` after each of their blocks; what
/// it throws ends their run.
class BlockCheckGuard {
 public:
  explicit BlockCheckGuard(std::function<void()> check);
  ~BlockCheckGuard();
  BlockCheckGuard(const BlockCheckGuard&) = delete;
  BlockCheckGuard& operator=(const BlockCheckGuard&) = delete;

 private:
  std::function<void()> check_;
  const std::function<void()>* outer_;
};

/// What the innermost of those on this thread calls; empty if there is none.
std::function<void()> current_block_check();

/// Called by networks after each block.
void end_block();

}  // namespace kandinsky::tensor
