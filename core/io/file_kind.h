#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// What a file is by its first bytes, for what people find in the place of a model's files and
/// images: "empty", "a Git LFS pointer, ...", a web page, an archive, a pickle. Nothing for all
/// else.
std::string_view kind_of_intruder(std::string_view head) noexcept;

/// Throws Error(kCorruptFile) if it is one of those. bytes: the file, or 512 bytes of its
/// beginning. wanted: e.g. "a safetensors file".
void refuse_other_kinds(std::string_view path, Span<const std::byte> bytes,
                        std::string_view wanted);

}  // namespace kandinsky::io
