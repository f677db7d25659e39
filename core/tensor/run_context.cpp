#include "tensor/run_context.h"

#include <utility>

#include "base/memory.h"
#include "base/out_of_memory.h"

namespace kandinsky::tensor {
namespace {

thread_local RunContext current;

}  // namespace

const RunContext& run_context() { return current; }

RunScope::RunScope(const std::function<void(RunContext&)>& change) : outer_(current) {
  RunContext changed = current;
  change(changed);
  current = std::move(changed);
}

RunScope::~RunScope() { current = std::move(outer_); }

void end_block() {
  check_address_space();
  if (current.low_memory) trim_heap();
  if (current.check) current.check();
}

}  // namespace kandinsky::tensor
