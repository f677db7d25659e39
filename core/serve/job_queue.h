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

/// Tasks in the order in which they came, done one at a time on a thread of its own: there is one
/// engine.
class JobQueue {
 public:
  struct Calls {
    std::function<void(Task&)> work;  ///< may throw
    std::function<void()> cancel;     ///< what is being worked at; from another thread
    /// Each task once, when it is over. On the worker's thread, or on that of cancel() or close().
    std::function<void(const std::shared_ptr<Task>&)> over;
  };

  /// most: tasks that may wait.
  JobQueue(std::size_t most, Calls calls);
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  /// False where as many wait already, or after close().
  bool submit(const std::shared_ptr<Task>& task);

  /// Ends it as soon as possible. One that is over stays as it is.
  void cancel(const std::shared_ptr<Task>& task);

  /// Takes no more and cancels what waits.
  void close();

  std::size_t waiting() const;
  /// How many are before it; 0 for one that does not wait.
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
