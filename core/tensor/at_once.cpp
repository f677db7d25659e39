#include "tensor/at_once.h"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <atomic>
#include <exception>
#include <mutex>

#include "base/error.h"
#include "tensor/run_context.h"

namespace kandinsky::tensor {
namespace {

void run_group(int64_t first, int64_t last, const std::function<void(int64_t)>& piece) {
  const at::ThreadLocalState state;
  const RunContext context = run_context();
  std::atomic<bool> has_failed = false;
  std::mutex mutex;
  std::exception_ptr error;
  at::parallel_for(first, last, 1, [&](int64_t begin, int64_t end) {
    const at::ThreadLocalStateGuard same_state(state);
    const RunScope same_context([&](RunContext& own) {
      own = context;
      own.check = [&] {
        if (has_failed) throw Error(ErrorCode::kCancelled, "another one of the group has failed");
        if (context.check) context.check();
      };
    });
    try {
      for (int64_t i = begin; i < end; ++i) piece(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      has_failed = true;  // after the error that explains it
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace

int64_t most_at_once([[maybe_unused]] int64_t count) {
#ifdef INTRA_OP_PARALLEL
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  return count < threads ? 1 : threads;
#else  // at::parallel_for is a plain loop
  return 1;
#endif
}

void each_at_once(int64_t count, const std::function<void(int64_t)>& piece,
                  const std::function<void(int64_t)>& done) {
  for (int64_t first = 0; first < count;) {
    const int64_t last = first + (run_context().images_at_once ? most_at_once(count - first) : 1);
    if (last - first == 1) {
      piece(first);
    } else {
      run_group(first, last, piece);
    }
    if (done) done(last);
    first = last;
  }
}

}  // namespace kandinsky::tensor
