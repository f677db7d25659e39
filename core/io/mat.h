#pragma once

#include <string_view>

#include "io/image.h"

namespace cv {
class Exception;
class Mat;
}  // namespace cv

/// Images <-> OpenCV's matrices, for the files that use it. Channels keep their order.
namespace kandinsky::io {

/// A matrix over the image's own pixels, which must outlive it and not be written to.
cv::Mat mat_over(const Image& image);

/// A copy; the matrix has 8 bits and 1, 3 or 4 channels.
Image image_from(const cv::Mat& mat);

/// Throws the Error for an exception of OpenCV on pixels that are known to be good: kOutOfMemory or
/// kInternal. action is what failed, such as "resizing a picture".
[[noreturn]] void throw_opencv_error(const cv::Exception& error, std::string_view action);

}  // namespace kandinsky::io
