#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

/// JSON that others wrote.
namespace kandinsky::jobs {

/// Refuses a text with more values, or more lists and objects inside each other, than any request
/// has. Throws StatusError(KANDINSKY_INVALID_ARGUMENT). Whether it is JSON at all, the parser says.
void check_json(std::string_view text);

/// The number, word or text that a text is as JSON; nothing for all else.
std::optional<nlohmann::json> parse_scalar(std::string_view text);

}  // namespace kandinsky::jobs
