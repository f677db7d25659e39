/// Our own API: jobs are submitted, polled and fetched by id.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "jobs/base64.h"
#include "kandinsky.hpp"
#include "serve/order.h"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kAccepted = 202;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;

std::string media_type(const std::string& format) { return "image/" + format; }

Json describe(const Server& server, const Task& task) {
  const Task::Status status = task.status();
  Json json{{"id", task.id()},
            {"state", state_name(status.state)},
            {"progress", status.state == Task::State::kDone ? 1.0 : status.progress.done},
            {"seconds_waited", status.waited},
            {"seconds_worked", status.worked},
            {"seeds", task.order()->seeds}};
  if (status.state == Task::State::kQueued) json["position"] = server.position(task);
  if (status.state == Task::State::kRunning) {
    json["stage"] = status.progress.stage;
    json["step"] = status.progress.step;
    json["steps"] = status.progress.steps;
  }
  if (status.is_over()) {
    json["images"] = task.images().size();
    json["remarks"] = task.remarks();
  }
  if (!status.error.empty()) json["error"] = status.error;
  return json;
}

/// A finished job. Throws RequestError otherwise.
std::shared_ptr<Task> done_job(const Server& server, const Call& call) {
  std::shared_ptr<Task> task = server.find(call.id);
  const Task::Status status = task->status();
  if (status.state == Task::State::kDone) return task;
  if (!status.is_over())
    throw RequestError(kConflict, fmt::format("the job is {}", state_name(status.state)));
  throw RequestError(status.error_status, status.error);
}

}  // namespace

void handle_submit(Server& server, const Call& call) {
  Json body = parse_object(call.exchange->body);
  std::string format = "png";
  if (body.contains("format")) {
    const Json given = body["format"];
    if (given != "png" && given != "jpeg" && given != "webp") {
      throw RequestError(kUnprocessable, "format: expected \"png\", \"jpeg\" or \"webp\"",
                         "format");
    }
    format = given.get<std::string>();
    body.erase("format");
  }
  Order order = read_order(server.reader(), std::move(body));
  order.format = format;
  const auto task = server.submit(std::move(order), {});
  server.keep(task);
  const std::string place = "/kandinsky/v1/jobs/" + task->id();
  reply_json(*call.exchange, describe(server, *task), kAccepted, {{"Location", place}});
}

void handle_jobs(Server& server, const Call& call) {
  Json list = Json::array();
  for (const auto& task : server.kept()) list.push_back(describe(server, *task));
  reply_json(*call.exchange, {{"jobs", std::move(list)}});
}

void handle_job(Server& server, const Call& call) {
  reply_json(*call.exchange, describe(server, *server.find(call.id)));
}

void handle_job_result(Server& server, const Call& call) {
  const auto task = done_job(server, call);
  Json images = Json::array();
  for (const ImageFile& image : task->images()) {
    images.push_back({{"seed", image.seed},
                      {"width", image.width},
                      {"height", image.height},
                      {"parameters", image.parameters},
                      {"image", fmt::format("data:{};base64,{}", media_type(task->order()->format),
                                            jobs::encode_base64(image.bytes))}});
  }
  reply_json(*call.exchange,
             {{"id", task->id()}, {"images", std::move(images)}, {"remarks", task->remarks()}});
}

void handle_job_image(Server& server, const Call& call) {
  const auto task = done_job(server, call);
  std::size_t index = 0;
  const char* const end = call.index.data() + call.index.size();
  const auto [stop, error] = std::from_chars(call.index.data(), end, index);
  if (error != std::errc() || stop != end || index >= task->images().size()) {
    throw RequestError(kNotFound,
                       fmt::format("the job has {} images, counted from 0", task->images().size()));
  }
  const std::vector<std::uint8_t>& bytes = task->images()[index].bytes;
  call.exchange->reply(200, media_type(task->order()->format),
                       std::string(bytes.begin(), bytes.end()));
}

void handle_job_preview(Server& server, const Call& call) {
  const auto task = server.find(call.id);
  const std::optional<Image> image = server.generator().preview(*task);
  if (!image) throw RequestError(kNotFound, "there is no preview at present");
  const std::vector<std::uint8_t> bytes =
      encode_image("png", image->pixels.data(), image->width, image->height);
  call.exchange->reply(200, media_type("png"), std::string(bytes.begin(), bytes.end()));
}

void handle_cancel(Server& server, const Call& call) {
  const auto task = server.find(call.id);
  if (task->is_over()) {
    server.forget(call.id);
  } else {
    server.cancel(task);
  }
  reply_json(*call.exchange, describe(server, *task));
}

}  // namespace kandinsky::serve
