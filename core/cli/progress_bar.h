#pragma once

#include <chrono>
#include <string>

#include "kandinsky.hpp"

namespace kandinsky::cli {

/// "0:47", "12:05", "1:02:03"; rounded up, as for a remaining time.
std::string clock_text(double seconds);

/// A job's progress on standard error: on a terminal one line per stage, redrawn at each step;
/// elsewhere a plain line when a stage ends and at most every ten seconds in between.
class ProgressBar {
 public:
  explicit ProgressBar(bool on_terminal) : on_terminal_(on_terminal) {}
  ~ProgressBar() { finish_line(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(const kandinsky_progress& progress);

  /// The progress of a batch that the job belongs to. The stages then share one line.
  void set_whole(const std::string& text) { whole_ = text; }

  /// Writes a remark on a line of its own.
  void message(const char* text);

  /// Ends the current line, if there is one, so that other output can follow.
  void finish_line();

  /// Erases it instead.
  void clear_line();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr double kSecondsBetweenPlainLines = 10;

  std::string line(double seconds) const;

  bool on_terminal_;
  std::string whole_;
  bool line_is_open_ = false;
  std::string stage_;
  int step_ = 0;
  int steps_ = 0;
  int first_step_ = 0;  ///< The step at which the stage's clock started; above 0 if there was no
                        ///< call before the first step.
  Clock::time_point start_;
  Clock::time_point last_line_;
};

}  // namespace kandinsky::cli
