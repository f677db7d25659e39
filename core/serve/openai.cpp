/// The image routes of OpenAI's API.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "jobs/text.h"
#include "kandinsky.hpp"
#include "serve/multipart.h"
#include "serve/order.h"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

/// What a field asks for is not done, and changes no more than how good the image is.
constexpr std::array kNoEffect{"model",      "quality",        "style",
                               "background", "moderation",     "output_compression",
                               "user",       "input_fidelity", "safety_identifier"};

[[noreturn]] void refuse(const std::string& field, const std::string& message) {
  throw RequestError(kUnprocessable, field + ": " + message, field);
}

std::string text_of(const std::string& field, const Json& value) {
  if (!value.is_string()) refuse(field, "expected a text");
  return value.get<std::string>();
}

std::int64_t integer_of(const std::string& field, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    refuse(field, "expected a whole number");
  return value;
}

/// Sets width and height of "512x768"; "auto": as it comes.
void set_size(Json& options, const std::string& text) {
  if (text == "auto") return;
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) refuse("size", "expected such as 512x512, or auto");
  options["width"] = integer_of("size", text.substr(0, cross));
  options["height"] = integer_of("size", text.substr(cross + 1));
}

/// Reads one field; `format` is what images are to be written as.
void read_field(const std::string& name, const Json& value, Json& options, std::string& format) {
  if (value.is_null()) return;
  if (name == "prompt") {
    options["prompt"] = value;
  } else if (name == "n") {
    options["n_iter"] = value;
  } else if (name == "size") {
    set_size(options, text_of(name, value));
  } else if (name == "response_format") {
    if (text_of(name, value) != "b64_json")
      refuse(name, "images come as b64_json; the server keeps no files that a url could name");
  } else if (name == "output_format") {
    format = text_of(name, value);
    if (format != "png" && format != "jpeg" && format != "webp")
      refuse(name, "expected png, jpeg or webp");
  } else if (name == "stream") {
    if (value != false) refuse(name, "answers are sent whole");
  } else if (name == "partial_images") {
    if (value != 0) refuse(name, "answers are sent whole");
  } else if (name == "kandinsky") {
    if (!value.is_object()) refuse(name, "expected an object of options by name");
  } else if (std::ranges::find(kNoEffect, name) == kNoEffect.end()) {
    refuse(jobs::to_utf8(name), "there is no such field");
  }
}

/// A number or a word of JSON's, else a text.
Json value_of(std::string_view text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_primitive() && !value.is_discarded() ? value : Json(jobs::to_utf8(text));
}

/// A form's fields as JSON, with files as data: URIs: what clients send for routes that take
/// images.
Json read_form(const Exchange& exchange) {
  Json fields = Json::object();
  for (const FormPart& part : parse_form(exchange.header("Content-Type"), exchange.body)) {
    std::string name = part.name;
    if (name.ends_with("[]")) name.resize(name.size() - 2);
    constexpr std::string_view kOwn = "kandinsky[";  // how clients flatten an object
    if (name.starts_with(kOwn) && name.ends_with(']')) {
      const std::string option = name.substr(kOwn.size(), name.size() - kOwn.size() - 1);
      fields["kandinsky"][option] = value_of(part.content);
      continue;
    }
    if (fields.contains(name)) refuse(jobs::to_utf8(name), "expected once");
    if (part.is_file) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(part.content.data());
      fields[name] = "data:image/png;base64," + encode_base64({bytes, part.content.size()});
    } else if (name == "n" || name == "partial_images") {
      fields[name] = integer_of(name, part.content);
    } else if (name == "stream") {
      fields[name] = part.content == "true";
    } else if (name == "kandinsky") {
      fields[name] = parse_object(std::string(part.content));
    } else if (jobs::is_utf8(part.content)) {
      fields[name] = part.content;
    } else {
      refuse(jobs::to_utf8(name), "this is not UTF-8");
    }
  }
  return fields;
}

std::string take_image(Json& fields, const char* name) {
  if (!fields.contains(name)) refuse(name, "there is none");
  std::string image = text_of(name, fields[name]);
  if (!image.starts_with("data:")) refuse(name, "expected a file");
  fields.erase(name);
  return image;
}

/// fields: what is left when the images are taken away; options: what they became.
void generate(Server& server, const Call& call, const Json& fields, Json options,
              bool alpha_is_mask) {
  std::string format = "png";
  for (const auto& [name, value] : fields.items()) read_field(name, value, options, format);
  if (fields.contains("kandinsky")) options.update(fields["kandinsky"]);
  Order order = read_order(server.reader(), std::move(options), {{"n_iter", "n"}});
  order.format = format;
  order.alpha_is_mask = alpha_is_mask;
  server.submit_for(
      call.exchange, std::move(order), [format, exchange = call.exchange](const auto& task) {
        Json data = Json::array();
        for (const ImageFile& image : task->images())
          data.push_back({{"b64_json", encode_base64(image.bytes)}, {"seed", image.seed}});
        const std::vector<ImageFile>& images = task->images();
        const std::string size =
            images.empty() ? "" : fmt::format("{}x{}", images.front().width, images.front().height);
        reply_json(*exchange, {{"created", std::time(nullptr)},
                               {"data", std::move(data)},
                               {"output_format", format},
                               {"size", size},
                               {"remarks", task->remarks()}});
      });
}

}  // namespace

void handle_generations(Server& server, const Call& call) {
  generate(server, call, parse_object(call.exchange->body), Json::object(), false);
}

void handle_edits(Server& server, const Call& call) {
  Json fields = read_form(*call.exchange);
  Json options{{"image", take_image(fields, "image")}};
  const bool has_mask = fields.contains("mask");
  if (has_mask) options["mask"] = take_image(fields, "mask");
  generate(server, call, fields, std::move(options), has_mask);
}

void handle_variations(Server& server, const Call& call) {
  Json fields = read_form(*call.exchange);
  const Json item{{"image", take_image(fields, "image")}, {"weight", 1}};
  generate(server, call, fields, {{"mix", Json::array({item})}}, false);
}

void handle_openai_models(Server& server, const Call& call) {
  const Json model{{"id", server.generator().model()},
                   {"object", "model"},
                   {"created", 0},
                   {"owned_by", "kandinsky"}};
  reply_json(*call.exchange, {{"object", "list"}, {"data", Json::array({model})}});
}

}  // namespace kandinsky::serve
