#pragma once

#include <atomic>

#include "base/error.h"

namespace kandinsky {

/// A stop flag: set from any thread, checked by the working thread between steps.
class CancelFlag {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  void clear() noexcept { requested_.store(false, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

  /// Throws Error(kCancelled) once a stop has been requested.
  void check() const {
    if (requested()) throw Error(ErrorCode::kCancelled, "stopped on request");
  }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace kandinsky
