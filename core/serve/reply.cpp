#include "serve/reply.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/utf8.h"
#include "jobs/json.h"

namespace kandinsky::serve {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string one_line(std::string_view text) {
  const std::vector<char> valid = replace_invalid_utf8(text);
  const std::vector<char> line = quote_controls({valid.data(), valid.size()});
  std::size_t end = std::min(line.size(), limits::kMaxMessageBytes);
  const auto is_inside = [&](std::size_t at) {
    return at > 0 && at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0U) == 0x80U;
  };
  while (is_inside(end)) --end;
  return {line.data(), end};
}

}  // namespace

RequestError::RequestError(int status, std::string_view message, std::string field)
    : std::runtime_error(one_line(message)), status_(status), field_(std::move(field)) {}

int http_status(kandinsky_status status) {
  constexpr int kFailed = 500;
  constexpr int kTooLarge = 507;
  switch (status) {
    case KANDINSKY_INVALID_ARGUMENT:
    case KANDINSKY_UNSUPPORTED:
      return kUnprocessable;
    case KANDINSKY_OUT_OF_MEMORY:
      return kTooLarge;
    case KANDINSKY_CANCELLED:
    case KANDINSKY_BUSY:
      return kUnavailable;
    default:
      return kFailed;
  }
}

void reply_json(Exchange& exchange, const Json& json, int status, const Headers& headers) {
  exchange.reply(status, "application/json", dump(json), headers);
}

void reply_error(Exchange& exchange, const RequestError& error, const Headers& headers) {
  constexpr int kServersFault = 500;
  const Json field = error.field().empty() ? Json() : Json(error.field());
  reply_json(
      exchange,
      {{"detail", error.what()},
       {"error",
        {{"message", error.what()},
         {"type", error.status() >= kServersFault ? "server_error" : "invalid_request_error"},
         {"param", field},
         {"code", nullptr}}}},
      error.status(), headers);
}

Json parse_object(const std::string& body) {
  constexpr int kBad = 400;
  try {
    jobs::check_json(body);
    Json object = Json::parse(body);
    if (!object.is_object()) throw RequestError(kUnprocessable, "the body is not a JSON object");
    return object;
  } catch (const StatusError& error) {
    throw RequestError(kUnprocessable, error.what());
  } catch (const Json::parse_error& error) {
    throw RequestError(kBad, "the body is not valid JSON at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    throw RequestError(kBad, "the body is not valid JSON: a number is out of range");
  }
}

}  // namespace kandinsky::serve
