#pragma once

#include <cstdint>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// A short mark of weights, to tell those apart that have the same name: the CRC-32 of each file's
/// size and of sixteen pieces of 64 KiB. Throws Error as InputFile.
std::uint32_t hash_weights(Span<const std::string_view> files);

}  // namespace kandinsky::io
