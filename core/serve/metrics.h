#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "serve/task.h"

namespace kandinsky::serve {

/// Metrics for Prometheus, kept by the server's thread.
class Metrics {
 public:
  void count_request(int status) { ++requests_[status]; }
  void count_task(const Task& task);

  /// Mean duration of a job in seconds; 0 before the first.
  double mean_seconds() const;

  /// In Prometheus' text format.
  std::string text(std::size_t waiting, bool is_running, const std::string& model) const;

 private:
  static constexpr std::array kBounds{0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0};

  std::map<int, std::uint64_t> requests_;
  std::map<Task::State, std::uint64_t> jobs_;
  std::array<std::uint64_t, kBounds.size()> within_{};  ///< jobs with up to so many seconds
  std::uint64_t images_ = 0;
  std::uint64_t timed_ = 0;
  double seconds_ = 0;
};

/// Bytes of memory: resident in the process, total and available on the machine.
struct MemoryState {
  std::uint64_t resident = 0;
  std::uint64_t total = 0;
  std::uint64_t available = 0;
};
MemoryState memory_state();

}  // namespace kandinsky::serve
