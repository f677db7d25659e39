#pragma once

namespace kandinsky::tensor {

/// While one exists, this thread's work is planned for the number of OpenMP threads that it really
/// gets, including at::get_num_threads(); the thread's own settings are restored afterwards.
///
/// oneDNN plans a primitive for omp_get_max_threads() threads and relies on getting them: in a
/// packed matrix product, the part of a missing thread stays uninitialised. But
/// OpenMP provides fewer with OMP_DYNAMIC, OMP_THREAD_LIMIT, and for a caller in a parallel
/// region.
class TeamGuard {
 public:
  /// most_threads: of the team; 0: as many as the thread's own setting. Throws
  /// Error(kIncompatible) on a thread that had a team before this process was forked, which
  /// would hang, and Error(kOutOfMemory) if threads cannot be started.
  explicit TeamGuard(int most_threads = 0);
  ~TeamGuard();
  TeamGuard(const TeamGuard&) = delete;
  TeamGuard& operator=(const TeamGuard&) = delete;

 private:
  int threads_ = 1;  ///< the thread's own setting
  int size_ = 1;     ///< the real team size
  bool is_dynamic_ = false;
};

}  // namespace kandinsky::tensor
