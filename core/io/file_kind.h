#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Recognises by its first bytes a file that is often found in place of a model file or an
/// image: "empty", "a Git LFS pointer, ...", a web page, an archive, a pickle. Empty for others.
std::string_view kind_of_intruder(std::string_view head) noexcept;

/// Throws Error(kCorruptFile) if it is one of those. bytes: the file, or its first 512 bytes.
/// wanted: e.g. "a safetensors file".
void refuse_other_kinds(std::string_view path, Span<const std::byte> bytes,
                        std::string_view wanted);

}  // namespace kandinsky::io
