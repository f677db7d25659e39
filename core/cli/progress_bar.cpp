#include "cli/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "cli/streams.h"

namespace kandinsky::cli {
namespace {

constexpr int kBarWidth = 24;

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string duration_text(double seconds) {
  if (seconds >= 100) return fmt::format("{:.0f} s", seconds);
  return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1);
}

std::string bar_text(int step, int steps) {
  const int done = steps > 0 ? std::clamp(kBarWidth * step / steps, 0, kBarWidth) : 0;
  return fmt::format("[{:=<{}}{: <{}}]", "", done, "", kBarWidth - done);
}

}  // namespace

std::string clock_text(double seconds) {
  const auto all = static_cast<long long>(std::ceil(std::max(seconds, 0.0)));
  const long long hours = all / 3600;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, all / 60 % 60, all % 60);
  return fmt::format("{}:{:02}", all / 60, all % 60);
}

void ProgressBar::update(const kandinsky_progress& progress) {
  const auto now = Clock::now();
  if (stage_ != progress.stage || progress.step < step_ || progress.steps != steps_) {
    if (whole_.empty()) finish_line();
    stage_ = progress.stage;
    steps_ = progress.steps;
    first_step_ = progress.step;
    start_ = now;
    if (whole_.empty()) last_line_ = now;
  }
  step_ = progress.step;
  const bool is_over = step_ >= steps_ && whole_.empty();
  const std::string text = line(seconds_between(start_, now));
  if (on_terminal_) {
    say("\r" + text + "\x1b[K");
    line_is_open_ = true;
    if (is_over) finish_line();
  } else if (is_over || seconds_between(last_line_, now) >= kSecondsBetweenPlainLines) {
    say(text + "\n");
    last_line_ = now;
  }
}

std::string ProgressBar::line(double seconds) const {
  std::string stage = stage_;
  std::replace(stage.begin(), stage.end(), '_', ' ');
  if (!whole_.empty()) return fmt::format("{}; {} {}/{}", whole_, stage, step_, steps_);
  std::string text =
      fmt::format("{:<13} {:>4}/{:<4} {}", stage, step_, steps_, bar_text(step_, steps_));
  const int counted = step_ - first_step_;
  if (counted > 0) {
    const double per_step = seconds / counted;
    if (steps_ > 1) text += fmt::format(" {}/step,", duration_text(per_step));
    text += step_ < steps_ ? fmt::format(" {} left", clock_text(per_step * (steps_ - step_)))
                           : fmt::format(" {}", duration_text(seconds));
  }
  return text;
}

void ProgressBar::message(const char* text) {
  finish_line();
  say_line(text);
}

void ProgressBar::clear_line() {
  if (line_is_open_) say("\r\x1b[K");
  line_is_open_ = false;
}

void ProgressBar::finish_line() {
  if (!line_is_open_) return;
  say("\n");
  line_is_open_ = false;
}

}  // namespace kandinsky::cli
