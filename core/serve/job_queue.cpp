#include "serve/job_queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "serve/reply.h"

namespace kandinsky::serve {

JobQueue::JobQueue(std::size_t most, Calls calls)
    : most_(most), calls_(std::move(calls)), thread_([this] { run(); }) {}

JobQueue::~JobQueue() {
  close();
  if (const auto task = running()) cancel(task);
  thread_.join();
}

bool JobQueue::submit(const std::shared_ptr<Task>& task) {
  const std::lock_guard lock(mutex_);
  if (is_closed_ || waiting_.size() >= most_) return false;
  waiting_.push_back(task);
  changed_.notify_one();
  return true;
}

void JobQueue::cancel(const std::shared_ptr<Task>& task) {
  task->wish = Task::Wish::kCancel;
  {
    const std::lock_guard lock(mutex_);
    if (running_ == task) {
      calls_.cancel();
      return;
    }
    if (std::erase(waiting_, task) == 0) return;
  }
  task->finish(Task::State::kCancelled, kUnavailable, "the job was cancelled");
  calls_.over(task);
}

void JobQueue::close() {
  std::deque<std::shared_ptr<Task>> left;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    left.swap(waiting_);
    changed_.notify_one();
  }
  for (const auto& task : left) {
    task->finish(Task::State::kCancelled, kUnavailable, "the server is shutting down");
    calls_.over(task);
  }
}

std::size_t JobQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::size_t JobQueue::position(const Task& task) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(waiting_, &task, [](const auto& own) { return own.get(); });
  return found == waiting_.end() ? 0 : static_cast<std::size_t>(found - waiting_.begin());
}

std::shared_ptr<Task> JobQueue::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void JobQueue::run() {
  for (;;) {
    std::shared_ptr<Task> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
      running_ = task;
      task->begin();
    }
    work(task);
    {
      const std::lock_guard lock(mutex_);
      running_ = nullptr;
    }
    calls_.over(task);
  }
}

void JobQueue::work(const std::shared_ptr<Task>& task) {
  constexpr int kFailed = 500;
  const bool cancelled = task->wish == Task::Wish::kCancel;
  try {
    if (!cancelled) calls_.work(*task);
    if (task->wish == Task::Wish::kCancel) {
      task->finish(Task::State::kCancelled, kUnavailable, "the job was cancelled");
    } else {
      task->finish(Task::State::kDone);
    }
  } catch (const RequestError& error) {
    task->finish(Task::State::kFailed, error.status(), error.what());
  } catch (const StatusError& error) {
    const bool is_cancelled = error.status() == KANDINSKY_CANCELLED;
    task->finish(is_cancelled ? Task::State::kCancelled : Task::State::kFailed,
                 http_status(error.status()),
                 is_cancelled ? "the job was cancelled" : error.what());
  } catch (const std::bad_alloc&) {
    task->finish(Task::State::kFailed, http_status(KANDINSKY_OUT_OF_MEMORY), "memory ran out");
  } catch (const std::exception& error) {
    task->finish(Task::State::kFailed, kFailed, error.what());
  }
}

}  // namespace kandinsky::serve
