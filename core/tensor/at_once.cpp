#include "tensor/at_once.h"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tensor/run_context.h"
#include "tensor/start_threads.h"
#include "tensor/team.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace kandinsky::tensor {
namespace {

/// Runs pieces on several threads, under the context and torch state of the thread that made it.
class Group {
 public:
  explicit Group(const std::function<void(int64_t)>& piece)
      : piece_(piece), context_(run_context()) {}

  /// Does not throw: see rethrow(). threads: of a team for these pieces alone; 0: of the thread's
  /// own.
  void run(int64_t begin, int64_t end, int threads = 0) {
    try {
      const at::ThreadLocalStateGuard same_state(state_);
      const RunScope same_context([&](RunContext& own) {
        own = context_;
        own.check = [&] {
          if (has_failed_)
            throw Error(ErrorCode::kCancelled, "another one of the group has failed");
          if (context_.check) context_.check();
        };
      });
      std::optional<TeamGuard> team;
      if (threads > 0) team.emplace(threads);
      for (int64_t i = begin; i < end; ++i) piece_(i);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      has_failed_ = true;  // after the error that explains it
    }
  }

  /// Once no piece runs any more.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const std::function<void(int64_t)>& piece_;
  const at::ThreadLocalState state_;
  const RunContext context_;
  std::atomic<bool> has_failed_ = false;
  std::mutex mutex_;
  std::exception_ptr error_;
};

/// Each piece on one thread of this thread's team.
void run_on_threads(int64_t first, int64_t last, Group& group) {
  at::parallel_for(first, last, 1, [&](int64_t begin, int64_t end) { group.run(begin, end); });
}

/// Each piece on a team of its own. OpenMP gives one to each thread that it did not start itself;
/// LibTorch's loops do not run in nested teams.
void run_in_teams(int64_t first, int64_t last, int threads, Group& group) {
  std::vector<std::thread> others = start_threads(
      last - first - 1, [&](int64_t i) { group.run(first + 1 + i, first + 2 + i, threads); });
  group.run(first, first + 1, threads);
  const int64_t begun = first + 1 + static_cast<int64_t>(others.size());
  for (std::thread& other : others) other.join();
  if (begun < last) group.run(begun, last);
}

/// A thread that is bound to processors passes them on to those that it starts: all teams would
/// share them.
bool are_threads_bound() {
#ifdef _OPENMP
  return omp_get_proc_bind() != omp_proc_bind_false;
#else
  return false;
#endif
}

}  // namespace

int64_t pieces_at_once(int64_t count, int64_t threads, int64_t most) {
  most = std::clamp<int64_t>(most, 1, threads);
  if (most == threads && count >= 2 * threads) return threads;  // no thread ever waits
  const auto time = [](int64_t team) {
    return kSerialShare + (1.0 - kSerialShare) / static_cast<double>(team);
  };
  std::vector<double> least(static_cast<size_t>(count) + 1, 0.0);  // for so many pieces
  int64_t best = 1;
  for (int64_t n = 1; n <= count; ++n) {
    double& least_of_all = least[static_cast<size_t>(n)];
    least_of_all = std::numeric_limits<double>::infinity();
    for (int64_t group = 1; group <= std::min(n, most); ++group) {
      const double total = time(threads / group) + least[static_cast<size_t>(n - group)];
      if (total > least_of_all) continue;
      least_of_all = total;
      best = group;  // of several, the largest
    }
  }
  return best;
}

int64_t most_at_once([[maybe_unused]] int64_t count, [[maybe_unused]] int64_t most) {
#ifdef INTRA_OP_PARALLEL
  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  if (are_threads_bound()) return std::min(count, most) < threads ? 1 : threads;
  return pieces_at_once(count, threads, most);
#else  // at::parallel_for is a plain loop
  return 1;
#endif
}

void each_at_once(int64_t count, const std::function<void(int64_t)>& piece,
                  const std::function<void(int64_t)>& done) {
  for (int64_t first = 0; first < count;) {
    const int64_t last = first + most_at_once(count - first, run_context().images_at_once);
    if (last - first == 1) {
      piece(first);
    } else {
      Group group(piece);
      const int64_t threads = at::get_num_threads() / (last - first);
      if (threads == 1) {
        run_on_threads(first, last, group);
      } else {
        run_in_teams(first, last, static_cast<int>(threads), group);
      }
      group.rethrow();
    }
    if (done) done(last);
    first = last;
  }
}

}  // namespace kandinsky::tensor
