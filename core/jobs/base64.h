#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::jobs {

std::string encode_base64(std::span<const std::uint8_t> bytes);

/// Bytes of base64, in which line breaks and missing padding are allowed. Throws
/// StatusError(KANDINSKY_INVALID_ARGUMENT).
std::vector<std::uint8_t> decode_base64(std::string_view text);

}  // namespace kandinsky::jobs
