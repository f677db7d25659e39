#pragma once

#include <cstddef>

#include "base/span.h"
#include "io/images/image.h"

namespace kandinsky::io {

/// The orientation of an image, 1 to 8, from its EXIF data, else its XMP data; 1, upright, if it is
/// missing or invalid. exif: with or without "Exif\0\0" before it.
/// Sources: CIPA DC-008 (EXIF), tag 0x0112; Pillow's exif_transpose for the precedence.
int orientation_of(Span<const std::byte> exif, Span<const std::byte> xmp) noexcept;

/// The stored image, rotated and flipped to its orientation.
Image turned_upright(Image stored, int orientation);

}  // namespace kandinsky::io
