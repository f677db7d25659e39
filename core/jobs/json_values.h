/// Values of untrusted JSON objects, with errors for wrong types. All of these throw
/// StatusError(KANDINSKY_INVALID_ARGUMENT).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace kandinsky::jobs {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& message);

/// The value as JSON, shortened.
std::string shown(const Json& value);

/// The value, or an error with the expected type.
template <typename Value>
Value as(const std::string& name, const Json& value, bool fits, const char* expected) {
  if (!fits) refuse(fmt::format("{} is {}, expected {}", name, shown(value), expected));
  return value.get<Value>();
}

std::string as_text(const std::string& name, const Json& value);
std::uint64_t as_seed(const std::string& name, const Json& value);
std::int64_t as_integer(const std::string& name, const Json& value);
double as_number(const std::string& name, const Json& value);

Json parse_object(const std::string& text);

}  // namespace kandinsky::jobs
