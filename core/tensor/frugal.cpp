#include "tensor/frugal.h"

#include "base/memory.h"

namespace kandinsky::tensor {
namespace {

thread_local bool frugal = false;

}  // namespace

FrugalGuard::FrugalGuard(bool is_frugal) : was_frugal_(frugal) { frugal = is_frugal; }

FrugalGuard::~FrugalGuard() { frugal = was_frugal_; }

void end_block() {
  if (frugal) trim_heap();
}

}  // namespace kandinsky::tensor
