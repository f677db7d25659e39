#pragma once

namespace kandinsky::tensor {

/// While one exists, this thread's work is planned for as many of OpenMP's threads as it really
/// gets, at::get_num_threads() with it; the thread's own settings come back afterwards.
///
/// oneDNN plans a primitive for omp_get_max_threads() threads and trusts to be given them: of a
/// packed matrix product, what a missing one should have computed is left as it was in memory. And
/// OpenMP gives fewer with OMP_DYNAMIC, OMP_THREAD_LIMIT, and to a caller that is itself one of a
/// team.
class TeamGuard {
 public:
  /// Throws Error(kIncompatible) on a thread that had a team before this process was forked, which
  /// would wait for ever for its others, and Error(kOutOfMemory) if threads cannot be started.
  TeamGuard();
  ~TeamGuard();
  TeamGuard(const TeamGuard&) = delete;
  TeamGuard& operator=(const TeamGuard&) = delete;

 private:
  int threads_ = 1;  ///< what the thread was set to
  int size_ = 1;     ///< what it gets
  bool is_dynamic_ = false;
};

}  // namespace kandinsky::tensor
