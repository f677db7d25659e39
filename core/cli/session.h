#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "cli/generate_job.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {

/// A job ended by a signal.
class Stopped : public StatusError {
 public:
  explicit Stopped(int signal, const std::string& message = "stopped, nothing was saved")
      : StatusError(KANDINSKY_CANCELLED, message), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// An engine that reports to standard error and stops at Ctrl-C. Create it before any other thread
/// (see InterruptWatch); libraries that read images also start threads.
class Session {
 public:
  /// quiet: no progress and no remarks.
  explicit Session(bool quiet);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Throws Stopped after Ctrl-C and the other signals of InterruptWatch.
  void check_interrupt() const;

  /// The first signal's number, 0 if none came.
  int signal() const { return watch_.signal(); }

  /// The function that a signal calls, on another thread.
  void set_cancel(std::function<void()> cancel);

  ProgressBar& bar() { return bar_; }

  /// Opens the engine, which everything below except remark() needs. Throws StatusError and
  /// Stopped.
  void open(const GenerateJob& job);

  kandinsky_engine_info info() const { return engine_->info(); }

  /// Prints a remark, unless quiet.
  void remark(const std::string& text);

  /// Runs job(engine) and returns its result. Throws StatusError and Stopped.
  template <typename Job>
  auto run(const Job& job) {
    check_interrupt();
    try {
      auto result = job(*engine_);
      bar_.finish_line();
      check_interrupt();
      return result;
    } catch (const StatusError& error) {
      bar_.finish_line();
      if (error.status() == KANDINSKY_CANCELLED) check_interrupt();
      throw;
    }
  }

 private:
  void cancel();

  bool quiet_;
  std::mutex mutex_;  ///< of `cancel_`, which the watch's thread calls
  std::function<void()> cancel_;
  InterruptWatch watch_;
  ProgressBar bar_;
  std::shared_ptr<Engine> engine_;
};

}  // namespace kandinsky::cli
