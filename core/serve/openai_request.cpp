#include "serve/openai_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "jobs/base64.h"
#include "jobs/json.h"
#include "jobs/text.h"
#include "serve/multipart.h"
#include "serve/order.h"
#include "serve/reply.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

/// Fields that are ignored because they affect only the quality of the image.
constexpr std::array kNoEffect{"model",      "quality",        "style",
                               "background", "moderation",     "output_compression",
                               "user",       "input_fidelity", "safety_identifier"};

constexpr const char* kExpectedOwn = "expected an object of options by name";

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

/// Sets width and height from "512x768"; "auto": the default.
void set_size(Json& options, const std::string& text) {
  if (text == "auto") return;
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) refuse("size", "expected a size such as 512x512, or auto");
  options["width"] = integer_of("size", text.substr(0, cross));
  options["height"] = integer_of("size", text.substr(cross + 1));
}

/// Reads one field; `format` is the format of the images.
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
      refuse(name, "only b64_json is supported; the server has no URLs for images");
  } else if (name == "output_format") {
    format = text_of(name, value);
    if (format != "png" && format != "jpeg" && format != "webp")
      refuse(name, "expected png, jpeg or webp");
  } else if (name == "stream") {
    if (value != false) refuse(name, "streaming is not supported");
  } else if (name == "partial_images") {
    if (value != 0) refuse(name, "streaming is not supported");
  } else if (name == "kandinsky") {
    if (!value.is_object()) refuse(name, kExpectedOwn);
  } else if (std::ranges::find(kNoEffect, name) == kNoEffect.end()) {
    refuse(jobs::to_utf8(name), "unknown field");
  }
}

/// A JSON number or literal, else a string.
Json value_of(std::string_view text) {
  const auto value = jobs::parse_scalar(text);
  return value ? Json(*value) : Json(jobs::to_utf8(text));
}

/// A form's fields as JSON, with files as data: URIs, for routes that take images.
Json read_form(const std::string& content_type, const std::string& body) {
  Json fields = Json::object();
  for (const FormPart& part : parse_form(content_type, body)) {
    std::string name = part.name;
    if (name.ends_with("[]")) name.resize(name.size() - 2);
    constexpr std::string_view kOwn = "kandinsky[";  // clients' form of nested objects
    if (name.starts_with(kOwn) && name.ends_with(']')) {
      Json& own = fields["kandinsky"];
      if (!own.is_null() && !own.is_object()) refuse("kandinsky", kExpectedOwn);
      const std::string option = name.substr(kOwn.size(), name.size() - kOwn.size() - 1);
      own[jobs::to_utf8(option)] = value_of(part.content);
      continue;
    }
    if (fields.contains(name)) refuse(jobs::to_utf8(name), "expected once");
    if (part.is_file) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(part.content.data());
      fields[name] = "data:image/png;base64," + jobs::encode_base64({bytes, part.content.size()});
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
  if (!fields.contains(name)) refuse(name, "missing");
  std::string image = text_of(name, fields[name]);
  if (!image.starts_with("data:")) refuse(name, "expected a file");
  fields.erase(name);
  return image;
}

}  // namespace

Order read_openai(const jobs::RequestReader& reader, OpenaiRoute route,
                  const std::string& content_type, const std::string& body) {
  const bool is_form = route != OpenaiRoute::kGenerations;
  Json fields = is_form ? read_form(content_type, body) : parse_object(body);
  Json options = Json::object();
  bool has_mask = false;
  if (route == OpenaiRoute::kEdits) {
    options["image"] = take_image(fields, "image");
    has_mask = fields.contains("mask");
    if (has_mask) options["mask"] = take_image(fields, "mask");
  } else if (route == OpenaiRoute::kVariations) {
    const Json item{{"image", take_image(fields, "image")}, {"weight", 1}};
    options["mix"] = Json::array({item});
  }
  std::string format = "png";
  for (const auto& [name, value] : fields.items()) read_field(name, value, options, format);
  const auto own = fields.find("kandinsky");
  if (own != fields.end() && own->is_object()) options.update(*own);
  Order order = read_order(reader, std::move(options), {{"n_iter", "n"}});
  order.format = format;
  // A mask among the options of our own is as for all other routes: white is inpainted.
  order.alpha_is_mask = has_mask || (route == OpenaiRoute::kEdits && !order.request.mask);
  return order;
}

}  // namespace kandinsky::serve
