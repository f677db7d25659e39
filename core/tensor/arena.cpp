#include "tensor/arena.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/accumulate.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "tensor/run_context.h"

namespace kandinsky::tensor {

class Arena {
 public:
  struct Block {
    c10::DataPtr memory;
    size_t bytes = 0;
  };

  /// The smallest block that is large enough, but not much too large; or a new one.
  Block take(size_t bytes) {
    {
      std::multimap<size_t, Block> unfit;  // freed after the lock, and before allocating more
      const std::lock_guard lock(mutex_);
      const auto found = blocks_.lower_bound(bytes);
      if (found == blocks_.end()) {
        unfit.swap(blocks_);
      } else if (found->first <= kMostWaste * bytes) {
        Block block = std::move(found->second);
        blocks_.erase(found);
        return block;
      }
    }
    return {.memory = c10::GetCPUAllocator()->allocate(bytes), .bytes = bytes};
  }

  void keep(Block block) {
    const std::lock_guard lock(mutex_);
    blocks_.emplace(block.bytes, std::move(block));
  }

  void free_unused() {
    std::multimap<size_t, Block> unused;  // freed after the lock
    const std::lock_guard lock(mutex_);
    unused.swap(blocks_);
  }

 private:
  static constexpr size_t kMostWaste = 4;

  std::mutex mutex_;
  std::multimap<size_t, Block> blocks_;  ///< by size
};

namespace {

/// The allocator keeps smaller ones itself.
constexpr size_t kFewestBytes = size_t{1} << 18U;

std::vector<int64_t> contiguous_strides(at::IntArrayRef shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// A tensor's storage.
struct Loan {
  std::weak_ptr<Arena> owner;
  Arena::Block block;

  static void end(void* loan) {
    const std::unique_ptr<Loan> own(static_cast<Loan*>(loan));
    if (const std::shared_ptr<Arena> owner = own->owner.lock()) owner->keep(std::move(own->block));
  }
};

}  // namespace

std::shared_ptr<Arena> make_arena() { return std::make_shared<Arena>(); }

at::Tensor recycled(at::IntArrayRef shape, const at::TensorOptions& options,
                    at::MemoryFormat format) {
  const size_t bytes =
      static_cast<size_t>(c10::multiply_integers(shape)) * options.dtype().itemsize();
  const std::shared_ptr<Arena>& arena = run_context().arena;
  if (!arena || !options.device().is_cpu() || bytes < kFewestBytes)
    return at::empty(shape, options.memory_format(format));
  const std::vector<int64_t> strides = format == at::MemoryFormat::ChannelsLast
                                           ? c10::get_channels_last_strides_2d(shape)
                                           : contiguous_strides(shape);
  auto loan = std::make_unique<Loan>(Loan{.owner = arena, .block = arena->take(bytes)});
  void* const data = loan->block.memory.get();
  return at::for_blob(data, shape)
      .strides(at::IntArrayRef(strides))
      .context(loan.release(), &Loan::end)
      .options(options)
      .make_tensor();
}

void free_recycled() {
  if (const std::shared_ptr<Arena>& arena = run_context().arena) arena->free_unused();
  trim_heap();
}

}  // namespace kandinsky::tensor
