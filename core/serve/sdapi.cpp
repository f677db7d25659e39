/// Automatic1111's API: images, and control of the running job.
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "jobs/base64.h"
#include "jobs/parameters.h"
#include "jobs/settings.h"
#include "kandinsky.hpp"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/sdapi_request.h"
#include "serve/server.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

/// In the hosts' format: 20261129022017.
std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

/// The hosts' info about a run. Source: Automatic1111, Processed.js.
Json info_of(const Task& task, const Generator& generator) {
  const Order& order = *task.order();
  const jobs::Job& job = order.request.job;
  const jobs::Settings& settings = job.settings;
  const std::string prompt = job.prompt.value_or("");
  const std::string negative_prompt = job.negative_prompt.value_or("");
  Json prompts = Json::array();
  Json negative_prompts = Json::array();
  Json seeds = Json::array();
  Json subseeds = Json::array();
  Json infotexts = Json::array();
  for (const ImageFile& image : task.images()) {
    prompts.push_back(prompt);
    negative_prompts.push_back(negative_prompt);
    seeds.push_back(image.seed);
    subseeds.push_back(image.variation_seed);
    infotexts.push_back(image.parameters);
  }
  const bool has_images = !task.images().empty();
  const bool from_image = static_cast<bool>(order.request.image);
  return {{"prompt", prompt},
          {"all_prompts", prompts},
          {"negative_prompt", negative_prompt},
          {"all_negative_prompts", negative_prompts},
          {"seed", order.seeds.front()},
          {"all_seeds", seeds},
          {"subseed", order.variation_seeds.empty() ? 0 : order.variation_seeds.front()},
          {"all_subseeds", subseeds},
          {"subseed_strength", settings.number("variation_strength")},
          {"width", has_images ? task.images().front().width : 0},
          {"height", has_images ? task.images().front().height : 0},
          {"sampler_name", jobs::sampler_of(settings, generator.info())},
          {"cfg_scale", settings.number("guidance_scale")},
          {"steps", settings.number("num_inference_steps")},
          {"batch_size", order.batch_size},
          {"restore_faces", false},
          {"face_restoration_model", nullptr},
          {"sd_model_name", generator.model()},
          {"sd_model_hash", generator.hash()},
          {"sd_vae_name", nullptr},
          {"sd_vae_hash", nullptr},
          {"seed_resize_from_w", settings.number("seed_resize_width")},
          {"seed_resize_from_h", settings.number("seed_resize_height")},
          {"denoising_strength", from_image ? Json(settings.number("strength")) : Json()},
          {"extra_generation_params", Json::object()},
          {"index_of_first_image", 0},
          {"infotexts", infotexts},
          {"styles", Json::array()},
          {"job_timestamp", timestamp()},
          {"clip_skip", 1},
          {"is_using_inpainting_conditioning", false},
          {"version", fmt::format("kandinsky {}", kandinsky_version())},
          {"remarks", task.remarks()}};
}

bool flag_of(const Json& body, const char* name, bool value) {
  return body.contains(name) && body[name].is_boolean() ? body[name].get<bool>() : value;
}

void handle_images(Server& server, const Call& call, bool from_image) {
  Json body = parse_object(call.exchange->body);
  Order order = read_sdapi(server.reader(), body, from_image, server.generator().model());
  const bool sends_images = flag_of(body, "send_images", true);
  if (!flag_of(body, "include_init_images", false)) {
    // Hosts do not return them either.
    for (const char* name : {"init_images", "mask"}) {
      if (body.contains(name)) body[name] = nullptr;
    }
  }
  server.submit_for(call.exchange, std::move(order),
                    [&server, body, sends_images, exchange = call.exchange](const auto& task) {
                      Json images = Json::array();
                      for (const ImageFile& image : task->images()) {
                        if (sends_images) images.push_back(jobs::encode_base64(image.bytes));
                      }
                      reply_json(*exchange, {{"images", std::move(images)},
                                             {"parameters", body},
                                             {"info", info_of(*task, server.generator()).dump()}});
                    });
}

void wish(Server& server, const Call& call, Task::Wish wish) {
  if (const auto task = server.running()) {
    Task::Wish none = Task::Wish::kNone;
    if (wish == Task::Wish::kSkip) {
      task->wish.compare_exchange_strong(none, wish);
    } else if (task->wish != Task::Wish::kCancel) {
      task->wish = wish;
    }
  }
  reply_json(*call.exchange, nullptr);
}

std::string preview_of(const Generator& generator, const Task& task) {
  const std::optional<Image> image = generator.preview(task);
  if (!image) return {};
  return jobs::encode_base64(
      encode_image("png", image->pixels.data(), image->width, image->height));
}

}  // namespace

void handle_txt2img(Server& server, const Call& call) { handle_images(server, call, false); }

void handle_img2img(Server& server, const Call& call) { handle_images(server, call, true); }

void handle_interrupt(Server& server, const Call& call) { wish(server, call, Task::Wish::kFinish); }

void handle_skip(Server& server, const Call& call) { wish(server, call, Task::Wish::kSkip); }

void handle_unload(Server& server, const Call& call) {
  server.submit_for(call.exchange, std::nullopt, [exchange = call.exchange](const auto&) {
    reply_json(*exchange, Json::object());
  });
}

void handle_progress(Server& server, const Call& call) {
  const std::shared_ptr<Task> task = server.running();
  const bool is_generating = task && task->order();
  const Task::Status status = is_generating ? task->status() : Task::Status();
  const Task::Wish wish = is_generating ? task->wish.load() : Task::Wish::kNone;
  const auto& query = call.exchange->query;
  const auto skipped = query.find("skip_current_image");
  const bool wants_image = skipped == query.end() || skipped->second != "true";
  const double done = status.progress.done;
  const std::string image =
      is_generating && wants_image ? preview_of(server.generator(), *task) : std::string();
  const std::size_t batches = is_generating
                                  ? (task->order()->seeds.size() + task->order()->batch_size - 1) /
                                        task->order()->batch_size
                                  : 0;
  reply_json(*call.exchange,
             {{"progress", done},
              {"eta_relative", done > 0 ? status.worked / done - status.worked : 0.0},
              {"state",
               {{"skipped", wish == Task::Wish::kSkip},
                {"interrupted", wish == Task::Wish::kFinish || wish == Task::Wish::kCancel},
                {"stopping_generation", false},
                {"job", is_generating ? task->id() : std::string()},
                {"job_count", batches},
                {"job_timestamp", is_generating ? timestamp() : std::string("0")},
                {"job_no", status.progress.batch},
                {"sampling_step", status.progress.step},
                {"sampling_steps", status.progress.steps}}},
              {"current_image", image.empty() ? Json() : Json(image)},
              {"textinfo", status.progress.stage.empty() ? Json() : Json(status.progress.stage)}});
}

}  // namespace kandinsky::serve
