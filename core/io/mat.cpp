#include "io/mat.h"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core.hpp>

#include "base/error.h"

namespace kandinsky::io {

cv::Mat mat_over(const Image& image) {
  return cv::Mat(image.height, image.width, CV_MAKETYPE(CV_8U, image.channels),
                 const_cast<std::uint8_t*>(image.pixels.data()));
}

Image image_from(const cv::Mat& mat) {
  CV_Assert(mat.depth() == CV_8U);
  Image image{mat.cols, mat.rows, mat.channels(), {}};
  const std::size_t row = static_cast<std::size_t>(mat.cols) * mat.elemSize();
  image.pixels.resize(row * static_cast<std::size_t>(mat.rows));
  for (int y = 0; y < mat.rows; ++y) {
    std::copy_n(mat.ptr<std::uint8_t>(y), row,
                image.pixels.begin() + static_cast<std::ptrdiff_t>(row) * y);
  }
  return image;
}

void throw_opencv_error(const cv::Exception& error, std::string_view action) {
  if (error.code == cv::Error::StsNoMem) {
    throw Error(ErrorCode::kOutOfMemory, fmt::format("{}: the memory does not suffice", action));
  }
  throw Error(ErrorCode::kInternal, fmt::format("{}: {}", action, error.err));
}

}  // namespace kandinsky::io
