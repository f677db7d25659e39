/// The image routes of OpenAI's API.
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "jobs/base64.h"
#include "kandinsky.hpp"
#include "serve/openai_request.h"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

void generate(Server& server, const Call& call, OpenaiRoute route) {
  Order order = read_openai(server.reader(), route, call.exchange->header("Content-Type"),
                            call.exchange->body);
  server.submit_for(call.exchange, std::move(order), [exchange = call.exchange](const auto& task) {
    Json data = Json::array();
    for (const ImageFile& image : task->images())
      data.push_back({{"b64_json", jobs::encode_base64(image.bytes)}, {"seed", image.seed}});
    const std::vector<ImageFile>& images = task->images();
    const std::string size =
        images.empty() ? "" : fmt::format("{}x{}", images.front().width, images.front().height);
    reply_json(*exchange, {{"created", std::time(nullptr)},
                           {"data", std::move(data)},
                           {"output_format", task->order()->format},
                           {"size", size},
                           {"remarks", task->remarks()}});
  });
}

}  // namespace

void handle_generations(Server& server, const Call& call) {
  generate(server, call, OpenaiRoute::kGenerations);
}

void handle_edits(Server& server, const Call& call) { generate(server, call, OpenaiRoute::kEdits); }

void handle_variations(Server& server, const Call& call) {
  generate(server, call, OpenaiRoute::kVariations);
}

void handle_openai_models(Server& server, const Call& call) {
  const Json model{{"id", server.generator().model()},
                   {"object", "model"},
                   {"created", 0},
                   {"owned_by", "kandinsky"}};
  reply_json(*call.exchange, {{"object", "list"}, {"data", Json::array({model})}});
}

}  // namespace kandinsky::serve
