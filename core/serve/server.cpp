#include "serve/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "serve/http_server.h"
#include "serve/reply.h"
#include "serve/routes.h"

namespace kandinsky::serve {
namespace {

constexpr std::size_t kMostKept = 64;
constexpr std::size_t kMostKeptBytes = std::size_t{256} << 20U;

std::string new_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

/// Removes and returns the part of a path before the next slash.
std::string_view take_part(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view part = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return part;
}

/// Whether the path matches the route; sets its parameters.
bool matches(std::string_view pattern, std::string_view path, Call& call) {
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return false;
  while (!pattern.empty()) {
    const std::string_view wanted = take_part(pattern);
    const std::string_view given = take_part(path);
    if (wanted == "{id}") {
      call.id = given;
    } else if (wanted == "{index}") {
      call.index = given;
    } else if (wanted != given) {
      return false;
    }
  }
  return path.empty();
}

std::size_t size_of(const Task& task) {
  std::size_t size = 0;
  if (!task.is_over()) return size;
  for (const ImageFile& image : task.images()) size += image.bytes.size();
  return size;
}

}  // namespace

Server::Server(const ServerOptions& options)
    : options_(options),
      reader_(options.settings, std::nullopt),
      generator_(options.settings),
      http_(
          options.address, options.port, {},
          [this](const std::shared_ptr<Exchange>& exchange) { answer(exchange); },
          options.make_stream),
      queue_(options.queue, {.work = [this](Task& task) { generator_.work(task); },
                             .cancel = [this] { generator_.cancel(); },
                             .over =
                                 [this](const std::shared_ptr<Task>& task) {
                                   http_.post([this, task] { take_over(task); });
                                 }}) {}

void Server::answer(const std::shared_ptr<Exchange>& exchange) {
  exchange->when_answered = [this](int status) { metrics_.count_request(status); };
  try {
    // HEAD is GET without the content, which is dropped below.
    const std::string method = exchange->method == "HEAD" ? "GET" : exchange->method;
    Call call{.exchange = exchange, .id = {}, .index = {}};
    std::string allowed;
    const Route* found = nullptr;
    for (const Route& route : routes()) {
      Call parts;
      if (!matches(route.path, exchange->path, parts)) continue;
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      if (method != route.method) continue;
      found = &route;
      call.id = parts.id;
      call.index = parts.index;
    }
    const auto refusal = options_.access.refuse(*exchange, found != nullptr && found->is_open);
    if (refusal) {
      return reply_error(*exchange, {refusal->status, refusal->message}, refusal->headers);
    }
    constexpr int kNotFound = 404;
    constexpr int kNotAllowed = 405;
    if (found == nullptr && allowed.empty())
      return reply_error(*exchange,
                         {kNotFound, "there is no such route; /openapi.json lists them"});
    if (found == nullptr) {
      return reply_error(*exchange, {kNotAllowed, "this route takes " + allowed},
                         {{"Allow", allowed}});
    }
    found->handle(*this, call);
  } catch (const RequestError& error) {
    Headers headers;
    if (error.status() == kUnavailable) {
      constexpr double kMost = 600;
      const double wait = metrics_.mean_seconds() * static_cast<double>(queue_.waiting() + 1);
      headers.emplace_back("Retry-After",
                           fmt::format("{:.0f}", std::clamp(std::ceil(wait), 1.0, kMost)));
    }
    reply_error(*exchange, error, headers);
  } catch (const StatusError& error) {
    reply_error(*exchange, {http_status(error.status()), error.what()});
  } catch (const std::exception& error) {
    reply_error(*exchange, {http_status(KANDINSKY_INTERNAL), error.what()});
  }
}

std::shared_ptr<Task> Server::submit(std::optional<Order> order, Then then) {
  auto task = std::make_shared<Task>(new_id(), std::move(order));
  if (!queue_.submit(task)) {
    throw RequestError(
        kUnavailable,
        is_shutting_down_
            ? std::string("the server is shutting down")
            : fmt::format("{} jobs are already waiting; try again later", options_.queue));
  }
  // Its end is posted to this thread, and so comes after this.
  then_[task.get()] = std::move(then);
  return task;
}

void Server::submit_for(const std::shared_ptr<Exchange>& exchange, std::optional<Order> order,
                        Then then) {
  const auto task = submit(std::move(order), [exchange, then = std::move(then)](const auto& over) {
    const Task::Status status = over->status();
    if (status.state == Task::State::kDone) return then(over);
    reply_error(*exchange, {status.error_status, status.error});
  });
  exchange->body = {};  // it may be large, and the task has its values
  exchange->when_gone = [this, task] { cancel(task); };
}

void Server::take_over(const std::shared_ptr<Task>& task) {
  metrics_.count_task(*task);
  const auto found = then_.find(task.get());
  if (found != then_.end()) {
    const Then then = std::move(found->second);
    then_.erase(found);
    if (then) then(task);
  }
  trim();
  if (is_shutting_down_ && !queue_.running()) http_.stop();
}

void Server::keep(const std::shared_ptr<Task>& task) { kept_.push_back(task); }

std::shared_ptr<Task> Server::find(const std::string& id) const {
  const auto found = std::ranges::find(kept_, id, [](const auto& task) { return task->id(); });
  if (found != kept_.end()) return *found;
  constexpr int kNotFound = 404;
  throw RequestError(kNotFound, "there is no such job, or it was removed");
}

void Server::forget(const std::string& id) {
  std::erase_if(kept_, [&](const auto& task) { return task->id() == id; });
}

void Server::trim() {
  std::size_t bytes = 0;
  for (const auto& task : kept_) bytes += size_of(*task);
  for (auto task = kept_.begin();
       task != kept_.end() && (kept_.size() > kMostKept || bytes > kMostKeptBytes);) {
    // Keep the last one: its client is about to fetch it.
    if (!(*task)->is_over() || std::next(task) == kept_.end()) {
      ++task;
      continue;
    }
    bytes -= size_of(**task);
    task = kept_.erase(task);
  }
}

void Server::shut_down() {
  http_.post([this] {
    if (std::exchange(is_shutting_down_, true)) return;
    queue_.close();
    if (const auto task = queue_.running()) {
      http_.post_after(options_.grace_seconds, [this, task] { queue_.cancel(task); });
    } else {
      http_.post([this] { http_.stop(); });
    }
  });
}

}  // namespace kandinsky::serve
