#pragma once

#include <cstddef>
#include <string_view>

#include "base/span.h"

namespace kandinsky::io {

/// Throws Error(kCorruptFile) saying what the file is instead, for what people find in the place of
/// a model's files and pictures: nothing, a Git LFS pointer, a web page, an archive, a pickle.
/// bytes: the file, or 512 bytes of its beginning. wanted: e.g. "a safetensors file".
void refuse_other_kinds(std::string_view path, Span<const std::byte> bytes,
                        std::string_view wanted);

}  // namespace kandinsky::io
