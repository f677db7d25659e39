#include "cli/interrupt.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigwait is POSIX, not in <csignal>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace kandinsky::cli {

struct InterruptWatch::State {
  std::function<void()> on_interrupt;
  std::atomic<int> signal = 0;
  std::atomic<bool> over = false;
  sigset_t watched = {};
  sigset_t mask_before = {};
  std::thread thread;
};

namespace {

constexpr int kWatched[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU};
constinit bool g_pipe_was_ignored = false;

bool is_ignored(int number) {
  struct sigaction action = {};
  sigaction(number, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

void ignore_signals_of_writes() {
  g_pipe_was_ignored = is_ignored(SIGPIPE);
  for (const int number : {SIGPIPE, SIGXFSZ}) ::signal(number, SIG_IGN);
}

InterruptWatch::InterruptWatch(std::function<void()> on_interrupt)
    : state_(std::make_unique<State>()) {
  state_->on_interrupt = std::move(on_interrupt);
  sigemptyset(&state_->watched);
  for (const int number : kWatched) {
    // A blocked signal arrives here even if it is ignored. SIGPIPE of a closed pipe goes to the
    // writing thread and so never arrives here; a SIGPIPE from another process does.
    const bool ignored = number == SIGPIPE ? g_pipe_was_ignored : is_ignored(number);
    if (!ignored) sigaddset(&state_->watched, number);
  }
  // The destructor wakes the thread with it.
  sigaddset(&state_->watched, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &state_->watched, &state_->mask_before);
  state_->thread = std::thread([state = state_.get()] {
    int number = 0;
    while (sigwait(&state->watched, &number) == 0) {
      if (state->over) return;
      if (number == SIGUSR1) continue;
      if (state->signal != 0) {
        sigset_t only = {};
        sigemptyset(&only);
        sigaddset(&only, number);
        ::signal(number, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
        raise(number);
      }
      state->signal = number;
      state->on_interrupt();
    }
  });
}

InterruptWatch::~InterruptWatch() {
  state_->over = true;
  pthread_kill(state_->thread.native_handle(), SIGUSR1);
  state_->thread.join();
  pthread_sigmask(SIG_SETMASK, &state_->mask_before, nullptr);
}

int InterruptWatch::signal() const { return state_->signal; }

}  // namespace kandinsky::cli
