#include "tensor/block_end.h"

#include <utility>

#include "base/memory.h"
#include "base/out_of_memory.h"

namespace kandinsky::tensor {
namespace {

thread_local bool low_memory = false;
thread_local const std::function<void()>* check = nullptr;

}  // namespace

LowMemoryGuard::LowMemoryGuard(bool is_low_memory) : was_low_memory_(low_memory) {
  low_memory = is_low_memory;
}

LowMemoryGuard::~LowMemoryGuard() { low_memory = was_low_memory_; }

BlockCheckGuard::BlockCheckGuard(std::function<void()> given)
    : check_(std::move(given)), outer_(std::exchange(check, &check_)) {}

BlockCheckGuard::~BlockCheckGuard() { check = outer_; }

std::function<void()> current_block_check() { return check != nullptr ? *check : nullptr; }

void end_block() {
  check_address_space();
  if (low_memory) trim_heap();
  if (check != nullptr) (*check)();
}

}  // namespace kandinsky::tensor
