/// Automatic1111's API: lists and settings.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/text.h"
#include "kandinsky.hpp"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

std::string title(const Generator& generator) {
  return fmt::format("{} [{}]", generator.model(), generator.hash());
}

/// With "Automatic", the model's own, which is no algorithm of its own.
std::vector<std::string> samplers_in_requests() {
  for (const kandinsky_option_info& info : option_infos("generate")) {
    if (std::string_view(info.name) == "sampler") return {info.words, info.words + info.word_count};
  }
  return {};
}

}  // namespace

void handle_options(Server& server, const Call& call) {
  reply_json(*call.exchange, {{"sd_model_checkpoint", title(server.generator())},
                              {"sd_checkpoint_hash", server.generator().hash()},
                              {"samples_format", "png"},
                              {"enable_pnginfo", true},
                              {"live_previews_enable", true}});
}

void handle_set_options(Server& server, const Call& call) {
  const Json body = parse_object(call.exchange->body);
  const Generator& generator = server.generator();
  for (const auto& [name, value] : body.items()) {
    if (name != "sd_model_checkpoint") {
      throw RequestError(kUnprocessable, fmt::format("{}: unknown setting", jobs::to_utf8(name)),
                         name);
    }
    const bool is_here =
        value.is_string() && (jobs::same_word(value.get<std::string>(), title(generator)) ||
                              jobs::same_word(value.get<std::string>(), generator.model()));
    if (!is_here) {
      throw RequestError(kUnprocessable,
                         fmt::format("{}: this server has only \"{}\"", name, title(generator)),
                         name);
    }
  }
  reply_json(*call.exchange, nullptr);
}

void handle_samplers(Server&, const Call& call) {
  Json list = Json::array();
  for (const std::string& name : samplers_in_requests()) {
    list.push_back({{"name", name}, {"aliases", {jobs::lower(name)}}, {"options", Json::object()}});
  }
  reply_json(*call.exchange, list);
}

void handle_schedulers(Server&, const Call& call) {
  Json list = Json::array();
  for (const std::string& label : scheduler_names()) {
    std::string name = jobs::lower(label);
    std::ranges::replace(name, ' ', '_');
    list.push_back({{"name", name},
                    {"label", label},
                    {"aliases", nullptr},
                    {"default_rho", -1},
                    {"need_inner_model", false}});
  }
  reply_json(*call.exchange, list);
}

void handle_models(Server& server, const Call& call) {
  const Generator& generator = server.generator();
  // Does not reveal the server's paths.
  reply_json(*call.exchange, Json::array({{{"title", title(generator)},
                                           {"model_name", generator.model()},
                                           {"hash", generator.hash()},
                                           {"sha256", nullptr},
                                           {"filename", generator.model()},
                                           {"config", nullptr}}}));
}

void handle_scripts(Server&, const Call& call) {
  reply_json(*call.exchange, {{"txt2img", Json::array()}, {"img2img", Json::array()}});
}

void handle_memory(Server&, const Call& call) {
  const MemoryState state = memory_state();
  Json json;
  json["ram"] = {{"free", state.available}, {"used", state.resident}, {"total", state.total}};
  reply_json(*call.exchange, json);
}

}  // namespace kandinsky::serve
