#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "serve/task.h"

namespace kandinsky::serve {

/// A FIFO queue of tasks, run one at a time on its own thread, since there is one engine.
class JobQueue {
 public:
  struct Calls {
    std::function<void(Task&)> work;  ///< may throw
    std::function<void()> cancel;     ///< cancels the running task; from another thread
    /// Called once for each task when it ends. On the worker's thread, or that of cancel() or
    /// close().
    std::function<void(const std::shared_ptr<Task>&)> over;
  };

  /// most: tasks that may wait.
  JobQueue(std::size_t most, Calls calls);
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// False if the queue is full, or after close().
  bool submit(const std::shared_ptr<Task>& task);

  /// Ends it as soon as possible. No effect on a task that has ended.
  void cancel(const std::shared_ptr<Task>& task);

  /// Accepts no more tasks and cancels waiting ones.
  void close();

  std::size_t waiting() const;
  /// The number of tasks before it; 0 if it is not waiting.
  std::size_t position(const Task& task) const;
  std::shared_ptr<Task> running() const;

 private:
  void run();
  void work(const std::shared_ptr<Task>& task);

  const std::size_t most_;
  const Calls calls_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> waiting_;
  std::shared_ptr<Task> running_;
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace kandinsky::serve
