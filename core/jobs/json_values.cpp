#include "jobs/json_values.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "jobs/json.h"
#include "jobs/text.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

void refuse(const std::string& message) { throw StatusError(KANDINSKY_INVALID_ARGUMENT, message); }

/// The value as JSON, shortened.
std::string shown(const Json& value) {
  constexpr std::size_t kMost = 60;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMost) text = to_utf8(text.substr(0, kMost)) + "...";
  return text;
}

std::string as_text(const std::string& name, const Json& value) {
  std::string text = as<std::string>(name, value, value.is_string(), "a text");
  // The C interface would read it as the end of the text.
  if (text.find('\0') != std::string::npos) refuse(name + ": must not contain a NUL character");
  return text;
}

std::uint64_t as_seed(const std::string& name, const Json& value) {
  return as<std::uint64_t>(name, value, value.is_number_unsigned(),
                           "a whole number from 0; left out, it is made from the request");
}

std::int64_t as_integer(const std::string& name, const Json& value) {
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() ||
       value.get<std::uint64_t>() <= std::uint64_t(std::numeric_limits<std::int64_t>::max()));
  return as<std::int64_t>(name, value, fits, "a whole number");
}

double as_number(const std::string& name, const Json& value) {
  return as<double>(name, value, value.is_number(), "a number");
}

Json parse_object(const std::string& text) {
  Json object;
  check_json(text);
  try {
    object = Json::parse(text);
  } catch (const Json::parse_error& error) {
    refuse(fmt::format("invalid JSON at byte {}", error.byte));
  } catch (const Json::exception&) {
    refuse("invalid JSON: a number is out of range");
  }
  if (!object.is_object()) refuse(fmt::format("{} is not a JSON object", shown(object)));
  return object;
}

}  // namespace kandinsky::jobs
