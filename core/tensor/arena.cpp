#include "tensor/recycled.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/accumulate.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace kandinsky::tensor {

/// Blocks of memory that no tensor has. Tensors may go on any thread.
class IdleMemory {
 public:
  struct Block {
    c10::DataPtr memory;
    size_t bytes = 0;
  };

  /// The smallest block that is large enough, but not by far; or a new one.
  Block take(size_t bytes) {
    {
      std::multimap<size_t, Block> unfit;  // goes after the lock, and before there is more
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
    if (is_open_) blocks_.emplace(block.bytes, std::move(block));
  }

  void close() {
    std::multimap<size_t, Block> all;
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    all.swap(blocks_);
  }

 private:
  static constexpr size_t kMostWaste = 4;

  std::mutex mutex_;
  std::multimap<size_t, Block> blocks_;  ///< by size
  bool is_open_ = true;
};

namespace {

/// Smaller ones the allocator keeps itself.
constexpr size_t kFewestBytes = size_t{1} << 18U;

thread_local std::shared_ptr<IdleMemory> current;

std::vector<int64_t> contiguous_strides(at::IntArrayRef shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// What a tensor holds.
struct Loan {
  std::shared_ptr<IdleMemory> owner;
  IdleMemory::Block block;

  static void end(void* loan) {
    const std::unique_ptr<Loan> own(static_cast<Loan*>(loan));
    own->owner->keep(std::move(own->block));
  }
};

}  // namespace

RecyclingGuard::RecyclingGuard() : outer_(std::exchange(current, std::make_shared<IdleMemory>())) {}

RecyclingGuard::~RecyclingGuard() {
  current->close();
  current = std::move(outer_);
}

SharedIdleMemory::SharedIdleMemory() : memory_(current) {}

SharedIdleMemory::Guard::Guard(const SharedIdleMemory& shared)
    : outer_(std::exchange(current, shared.memory_)) {}

SharedIdleMemory::Guard::~Guard() { current = std::move(outer_); }

at::Tensor recycled(at::IntArrayRef shape, const at::TensorOptions& options,
                    at::MemoryFormat format) {
  const size_t bytes =
      static_cast<size_t>(c10::multiply_integers(shape)) * options.dtype().itemsize();
  if (!current || !options.device().is_cpu() || bytes < kFewestBytes)
    return at::empty(shape, options.memory_format(format));
  const std::vector<int64_t> strides = format == at::MemoryFormat::ChannelsLast
                                           ? c10::get_channels_last_strides_2d(shape)
                                           : contiguous_strides(shape);
  auto loan = std::make_unique<Loan>(Loan{.owner = current, .block = current->take(bytes)});
  void* const data = loan->block.memory.get();
  return at::for_blob(data, shape)
      .strides(at::IntArrayRef(strides))
      .context(loan.release(), &Loan::end)
      .options(options)
      .make_tensor();
}

}  // namespace kandinsky::tensor
