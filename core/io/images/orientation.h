#pragma once

#include <cstddef>

#include "base/span.h"
#include "io/images/image.h"

namespace kandinsky::io {

/// The orientation of an image, 1 to 8, that its EXIF data tell, else its XMP data; 1, upright,
/// where neither does or it makes no sense. exif: with or without "Exif\0\0" before it.
/// Sources: CIPA DC-008 (EXIF), tag 0x0112; Pillow's exif_transpose for which of them counts.
int orientation_of(Span<const std::byte> exif, Span<const std::byte> xmp) noexcept;

/// The stored image as it is meant to be seen.
Image turned_upright(Image stored, int orientation);

}  // namespace kandinsky::io
