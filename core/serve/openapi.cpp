#include "serve/openapi.h"

#include <fmt/format.h>

#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "kandinsky.hpp"
#include "serve/order.h"
#include "serve/routes.h"
#include "serve/sdapi_request.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kImageHelp = "An image file, PNG, JPEG or WebP, as data: URI in base64";

Json described(Json schema, const std::string& help) {
  schema["description"] = help;
  return schema;
}

Json text(const std::string& help) {
  Json schema = described(Json::object(), help);
  schema["type"] = "string";
  return schema;
}

Json integer(std::int64_t least, std::int64_t most, const std::string& help) {
  Json schema = described(Json::object(), help);
  schema["type"] = "integer";
  schema["minimum"] = least;
  schema["maximum"] = most;
  return schema;
}

/// A row of the table of options; null for a list of which requests have one item.
Json schema_of(const kandinsky_option_info& info) {
  const std::string value = info.default_value == nullptr ? "" : info.default_value;
  Json schema;
  switch (info.type) {
    case KANDINSKY_FLAG:
      schema["type"] = "boolean";
      schema["default"] = value == "true";
      break;
    case KANDINSKY_INTEGER:
      schema = integer(static_cast<std::int64_t>(info.minimum),
                       static_cast<std::int64_t>(info.maximum), info.help);
      schema["default"] = std::strtoll(value.c_str(), nullptr, 10);
      break;
    case KANDINSKY_NUMBER:
      schema["type"] = "number";
      schema["minimum"] = info.minimum;
      schema["maximum"] = info.maximum;
      schema["default"] = Json::parse(value);
      break;
    case KANDINSKY_TEXT:
      schema["type"] = "string";
      schema["default"] = value;
      for (std::size_t i = 0; i < info.word_count; ++i) schema["enum"].push_back(info.words[i]);
      break;
    default:
      return {};
  }
  return described(schema, info.help);
}

Json words(std::initializer_list<const char*> all) {
  Json schema;
  schema["type"] = "string";
  for (const char* word : all) schema["enum"].push_back(word);
  return schema;
}

Json seed(const std::string& help) {
  Json schema = described(Json::object(), help + "; -1: random");
  schema["type"] = "integer";
  schema["minimum"] = -1;
  schema["default"] = -1;
  return schema;
}

Json object_of(Json properties) {
  Json schema;
  schema["type"] = "object";
  schema["properties"] = std::move(properties);
  return schema;
}

Json reference(const std::string& schema) {
  Json json;
  json["$ref"] = "#/components/schemas/" + schema;
  return json;
}

Json mix() {
  Json item;
  item["text"] = text("A text to mix in");
  item["image"] = text(kImageHelp);
  item["weight"]["type"] = "number";
  item["weight"]["default"] = 1;
  Json schema = text("Texts and images to mix, in place of the prompt's image embedding");
  schema["type"] = "array";
  schema["items"] = object_of(item);
  return schema;
}

/// The options of a job.
Json job_properties() {
  Json properties;
  properties["prompt"] = text("Content of the images");
  properties["negative_prompt"] = text("Content to avoid");
  properties["negative_prior_prompt"] = text("Negative prompt for the prior only");
  properties["seed"] = seed("Seed of the first image, image i has seed + i");
  properties["variation_seed"] = seed("Seed of the noise that variation_strength mixes in");
  properties["batch_size"] = integer(1, kMostImages, "Images generated at once");
  properties["n_iter"] = integer(1, kMostImages, "Number of batches");
  for (const char* image : {"image", "mask", "hint", "prior_image"})
    properties[image] = text(kImageHelp);
  properties["mix"] = mix();
  properties["mix_method"] = words({"sum", "slerp"});
  for (const kandinsky_option_info& info : option_infos("image_to_image")) {
    if (Json schema = schema_of(info); !schema.is_null()) properties[info.name] = schema;
  }
  for (const char* side : {"width", "height"}) properties[side].erase("default");
  return properties;
}

Json sdapi_properties(bool from_image, const Json& options) {
  Json properties;
  for (const SdapiField& field : sdapi_fields()) {
    if (!(from_image ? field.from_image : field.from_text)) continue;
    Json& schema = properties[field.name];
    switch (field.kind) {
      case SdapiField::Kind::kOption:
      case SdapiField::Kind::kPositive:
      case SdapiField::Kind::kImage:
        schema = options[field.option];
        break;
      case SdapiField::Kind::kNone:
        schema = described(Json::object(), "Not supported: refused unless off");
        break;
      case SdapiField::Kind::kTranslated:
        schema = described(Json::object(), "As in Automatic1111");
        break;
      default:
        schema = described(Json::object(), "No effect");
    }
  }
  properties["kandinsky"] = reference("options");
  return properties;
}

Json openai_properties() {
  Json properties;
  properties["prompt"] = text("Content of the images");
  properties["n"] = integer(1, kMostImages, "Number of images");
  properties["size"] = text("Such as 512x512; auto: the model's training size, or the image's own");
  properties["response_format"] = words({"b64_json"});
  properties["output_format"] = words({"png", "jpeg", "webp"});
  properties["kandinsky"] = reference("options");
  return properties;
}

Json schemas() {
  Json all;
  const Json options = job_properties();
  all["options"] = object_of(options);
  Json job = options;
  job["format"] = words({"png", "jpeg", "webp"});
  all["job"] = object_of(job);
  all["txt2img"] = object_of(sdapi_properties(false, options));
  all["img2img"] = object_of(sdapi_properties(true, options));
  all["settings"]["type"] = "object";
  all["settings"]["properties"]["sd_model_checkpoint"] = text("The model's title or name");
  Json file = text("An image file");
  file["format"] = "binary";
  const Json generation = openai_properties();
  Json edit = generation;
  edit["image"] = file;
  edit["mask"] = described(file,
                           "Its transparent parts are inpainted; it must have the image's size. "
                           "Without it, the image's own transparent parts are");
  Json variation = generation;
  variation.erase("prompt");
  variation["image"] = file;
  all["generation"] = object_of(generation);
  all["edit"] = object_of(edit);
  all["variation"] = object_of(variation);
  all["error"]["type"] = "object";
  all["error"]["properties"]["detail"] = text("The error, with the field's name");
  return all;
}

Json operation_of(const Route& route) {
  Json operation;
  operation["summary"] = route.summary;
  for (const char* name : {"id", "index"}) {
    if (std::string_view(route.path).find(fmt::format("{{{}}}", name)) == std::string_view::npos)
      continue;
    Json parameter;
    parameter["name"] = name;
    parameter["in"] = "path";
    parameter["required"] = true;
    parameter["schema"]["type"] = "string";
    operation["parameters"].push_back(parameter);
  }
  const std::string schema = route.schema;
  if (!schema.empty()) {
    const bool is_form = schema == "edit" || schema == "variation";
    Json& body = operation["requestBody"];
    body["required"] = true;
    body["content"][is_form ? "multipart/form-data" : "application/json"]["schema"] =
        reference(schema);
  }
  operation["responses"]["200"]["description"] = "Done";
  Json& error = operation["responses"]["default"];
  error["description"] = "The error, with the field's name";
  error["content"]["application/json"]["schema"] = reference("error");
  operation["security"] = Json::array();
  for (const char* scheme : {"bearer", "basic"}) {
    Json one;
    one[scheme] = Json::array();
    if (!route.is_open) operation["security"].push_back(one);
  }
  return operation;
}

}  // namespace

Json openapi_document() {
  Json document;
  document["openapi"] = "3.1.0";
  document["info"]["title"] = "Kandinsky";
  document["info"]["version"] = kandinsky_version();
  for (const Route& route : routes()) {
    document["paths"][route.path][lower(std::string(route.method))] = operation_of(route);
  }
  Json& components = document["components"];
  components["schemas"] = schemas();
  for (const char* scheme : {"bearer", "basic"}) {
    components["securitySchemes"][scheme]["type"] = "http";
    components["securitySchemes"][scheme]["scheme"] = scheme;
  }
  return document;
}

}  // namespace kandinsky::serve
