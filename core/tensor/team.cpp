#include "tensor/team.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/out_of_memory.h"
#include "tensor/start_threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace kandinsky::tensor {

#ifdef _OPENMP
namespace {

/// The largest team of this thread, and its process: a forked child
/// inherits only this thread of the team.
struct Team {
  int size = 1;
  pid_t process = 0;
};
thread_local Team team;

void check_not_left_behind() {
  if (team.size == 1 || team.process == ::getpid()) return;
  throw Error(ErrorCode::kIncompatible,
              "this process was forked by a thread that had computed on several threads, and the "
              "others stayed in its parent; compute on a new thread, or start the process with "
              "\"spawn\"");
}

/// OpenMP ends the process if it cannot start a thread, so this is tested first.
void try_to_start(int threads) {
  std::latch all(1);
  std::vector<std::thread> started = start_threads(threads, [&all](int64_t) { all.wait(); });
  all.count_down();
  for (std::thread& thread : started) thread.join();
  if (started.size() == static_cast<size_t>(threads)) return;
  throw Error(ErrorCode::kOutOfMemory,
              "the system starts no more threads: memory or the number of processes is limited");
}

int size_of_team(int wanted) {
  int size = 1;
#pragma omp parallel num_threads(wanted)
  {
#pragma omp single
    size = omp_get_num_threads();
  }
  return size;
}

}  // namespace

TeamGuard::TeamGuard(int most_threads) {
  check_address_space();
  threads_ = at::get_num_threads();
  size_ = most_threads > 0 ? std::min(threads_, most_threads) : threads_;
  is_dynamic_ = omp_get_dynamic() != 0;
  if (threads_ == 1) return;
  if (omp_in_parallel() != 0) {
    size_ = 1;
  } else if (size_ > 1) {
    check_not_left_behind();
    if (size_ > team.size) try_to_start(size_ - 1);
    omp_set_dynamic(0);
    size_ = size_of_team(size_);
    team = {.size = std::max(team.size, size_), .process = ::getpid()};
  }
  if (size_ < threads_) omp_set_num_threads(size_);
}

TeamGuard::~TeamGuard() {
  omp_set_dynamic(is_dynamic_ ? 1 : 0);
  // Unless a callback has set it.
  if (size_ < threads_ && omp_get_max_threads() == size_) omp_set_num_threads(threads_);
}
#else  // at::parallel_for is a plain loop
TeamGuard::TeamGuard(int /*most_threads*/) {}
TeamGuard::~TeamGuard() = default;
#endif

}  // namespace kandinsky::tensor
