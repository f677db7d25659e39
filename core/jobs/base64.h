#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::jobs {

std::string encode_base64(std::span<const std::uint8_t> bytes);

/// Decodes base64; line breaks and missing padding are allowed. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT).
std::vector<std::uint8_t> decode_base64(std::string_view text);

}  // namespace kandinsky::jobs
