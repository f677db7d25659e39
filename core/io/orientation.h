#pragma once

#include <cstddef>

#include "base/span.h"
#include "io/codec.h"

namespace cv {
class Mat;
}

namespace kandinsky::io {

/// The EXIF orientation of a picture file, 1 to 8: from a JPEG's APP1 segment, a PNG's eXIf chunk
/// or a WebP's EXIF chunk. 1, upright, where there is none or it makes no sense.
/// Source: CIPA DC-008 (EXIF), tag 0x0112.
int read_orientation(ImageFormat format, Span<const std::byte> bytes) noexcept;

/// The stored pixels as they are meant to be seen.
cv::Mat turned_upright(const cv::Mat& stored, int orientation);

}  // namespace kandinsky::io
