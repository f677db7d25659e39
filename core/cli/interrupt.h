#pragma once

#include <functional>
#include <memory>

namespace kandinsky::cli {

/// Makes writes to a closed pipe, and to a file beyond `ulimit -f`, fail where they would end the
/// program. To be called once, before any InterruptWatch.
void ignore_signals_of_writes();

/// Calls `on_interrupt` on a thread of its own at the first Ctrl-C (SIGINT), SIGTERM, SIGHUP,
/// SIGPIPE or SIGXCPU while it lives; the second one ends the program at once. Make it before any
/// other thread exists: threads that come later then leave the signals to it. A signal that the
/// parent process set to be ignored stays ignored.
class InterruptWatch {
 public:
  explicit InterruptWatch(std::function<void()> on_interrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// The first signal's number, 0 if none came. May be asked from any thread.
  int signal() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kandinsky::cli
