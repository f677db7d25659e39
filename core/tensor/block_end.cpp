#include "tensor/block_end.h"

#include <utility>

#include "base/memory.h"
#include "base/out_of_memory.h"

namespace kandinsky::tensor {
namespace {

thread_local bool frugal = false;
thread_local const std::function<void()>* check = nullptr;

}  // namespace

FrugalGuard::FrugalGuard(bool is_frugal) : was_frugal_(frugal) { frugal = is_frugal; }

FrugalGuard::~FrugalGuard() { frugal = was_frugal_; }

BlockCheckGuard::BlockCheckGuard(std::function<void()> given)
    : check_(std::move(given)), outer_(std::exchange(check, &check_)) {}

BlockCheckGuard::~BlockCheckGuard() { check = outer_; }

std::function<void()> current_block_check() { return check != nullptr ? *check : nullptr; }

void end_block() {
  check_address_space();
  if (frugal) trim_heap();
  if (check != nullptr) (*check)();
}

}  // namespace kandinsky::tensor
