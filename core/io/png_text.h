#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kandinsky::io {

/// Puts a text chunk with the keyword "parameters" into a PNG file, right after its header, where
/// every reader finds it without going through the pixels. Throws Error(kInvalidArgument) for text
/// that is too long, no UTF-8 or contains a null character.
void insert_png_parameters(std::string_view text, std::vector<std::uint8_t>* png);

}  // namespace kandinsky::io
