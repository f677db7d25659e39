#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

/// Untrusted JSON.
namespace kandinsky::jobs {

/// Refuses a text with more values or deeper nesting than any request has. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT). The parser checks whether it is valid JSON.
void check_json(std::string_view text);

/// The JSON number, literal or string that a text holds; empty otherwise.
std::optional<nlohmann::json> parse_scalar(std::string_view text);

}  // namespace kandinsky::jobs
