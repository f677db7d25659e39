#pragma once

#include <functional>
#include <memory>

namespace kandinsky::cli {

/// Makes writes to a closed pipe, and to a file beyond `ulimit -f`, fail instead of ending the
/// program. Call it once, before any InterruptWatch.
void ignore_signals_of_writes();

/// Calls `on_interrupt` on its own thread at the first Ctrl-C (SIGINT), SIGTERM, SIGHUP,
/// SIGPIPE or SIGXCPU during its lifetime; the second one ends the program at once. Create it
/// before any other thread, so that later threads inherit the blocked signals. A signal that the
/// parent process ignores stays ignored.
class InterruptWatch {
 public:
  explicit InterruptWatch(std::function<void()> on_interrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// The first signal's number, 0 if none came. May be called from any thread.
  int signal() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kandinsky::cli
