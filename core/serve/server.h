#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobs/request.h"
#include "serve/access.h"
#include "serve/generator.h"
#include "serve/http_server.h"
#include "serve/job_queue.h"
#include "serve/metrics.h"
#include "serve/task.h"

namespace kandinsky::serve {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t queue = 16;     ///< jobs that may wait
  double grace_seconds = 30;  ///< for the running job at shutdown
  Access access;
  MakeStream make_stream;   ///< empty: plain HTTP
  jobs::Settings settings;  ///< of the engine, and defaults of requests
};

/// The server: routes over one engine. The public functions are for the routes, on the server's
/// thread.
class Server {
 public:
  /// Opens the engine and listens. Throws StatusError.
  explicit Server(const ServerOptions& options);

  std::uint16_t port() const { return http_.port(); }

  /// Serves on this thread until a shutdown ends.
  void run() { http_.run(); }

  /// Shuts down: waiting jobs get 503, the running one has the grace time. From any thread.
  void shut_down();

  using Then = std::function<void(const std::shared_ptr<Task>&)>;
  /// Queues a task; then(task) replies when it ends. Throws RequestError if the queue is full.
  std::shared_ptr<Task> submit(std::optional<Order> order, Then then);

  /// submit() for a waiting client: the task is cancelled if it disconnects. `then` is called
  /// for finished tasks, others get the error's reply.
  void submit_for(const std::shared_ptr<Exchange>& exchange, std::optional<Order> order, Then then);

  /// Tasks that can be looked up by id: the last ones, within a memory limit.
  void keep(const std::shared_ptr<Task>& task);
  std::shared_ptr<Task> find(const std::string& id) const;
  void forget(const std::string& id);
  const std::list<std::shared_ptr<Task>>& kept() const { return kept_; }

  void cancel(const std::shared_ptr<Task>& task) { queue_.cancel(task); }
  std::shared_ptr<Task> running() const { return queue_.running(); }
  std::size_t waiting() const { return queue_.waiting(); }
  std::size_t position(const Task& task) const { return queue_.position(task); }
  bool is_shutting_down() const { return is_shutting_down_; }

  const Generator& generator() const { return generator_; }
  const jobs::RequestReader& reader() const { return reader_; }
  const Metrics& metrics() const { return metrics_; }

 private:
  void answer(const std::shared_ptr<Exchange>& exchange);
  void take_over(const std::shared_ptr<Task>& task);
  void trim();

  const ServerOptions options_;
  const jobs::RequestReader reader_;
  Generator generator_;
  Metrics metrics_;
  std::map<const Task*, Then> then_;
  std::list<std::shared_ptr<Task>> kept_;  ///< the oldest first
  bool is_shutting_down_ = false;
  HttpServer http_;
  JobQueue queue_;
};

}  // namespace kandinsky::serve
