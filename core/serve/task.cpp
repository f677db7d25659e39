#include "serve/task.h"

#include <algorithm>
#include <utility>

namespace kandinsky::serve {
namespace {

double seconds_since(Task::Clock::time_point begin) {
  return std::chrono::duration<double>(Task::Clock::now() - begin).count();
}

}  // namespace

Task::Status Task::status() const {
  const std::lock_guard lock(mutex_);
  Status status = status_;
  if (status.state == State::kQueued) status.waited = seconds_since(since_);
  if (status.state == State::kRunning) status.worked = seconds_since(since_);
  return status;
}

Latents Task::latents() const {
  const std::lock_guard lock(mutex_);
  return latents_;
}

void Task::begin() {
  const std::lock_guard lock(mutex_);
  status_.waited = seconds_since(since_);
  status_.state = State::kRunning;
  since_ = Clock::now();
}

void Task::set_progress(const Progress& progress, const Latents* latents) {
  const std::lock_guard lock(mutex_);
  const double before = status_.progress.done;
  status_.progress = progress;
  status_.progress.done = std::clamp(progress.done, before, 1.0);
  if (latents != nullptr) latents_ = *latents;
}

void Task::add_remark(const std::string& text) {
  if (std::ranges::find(remarks_, text) == remarks_.end()) remarks_.push_back(text);
}

void Task::finish(State state, int error_status, const std::string& error) {
  const std::lock_guard lock(mutex_);
  if (status_.state == State::kRunning) {
    status_.worked = seconds_since(since_);
  } else {
    status_.waited = seconds_since(since_);
  }
  status_.state = state;
  status_.error_status = error_status;
  status_.error = error;
  latents_ = {};
}

const char* state_name(Task::State state) {
  switch (state) {
    case Task::State::kQueued:
      return "queued";
    case Task::State::kRunning:
      return "running";
    case Task::State::kDone:
      return "done";
    case Task::State::kFailed:
      return "failed";
    case Task::State::kCancelled:
      return "cancelled";
  }
  return "";
}

}  // namespace kandinsky::serve
