#include "io/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "base/error.h"
#include "io/mat.h"

namespace kandinsky::io {
namespace {

/// One side's way: pixels begin to begin + length become `scaled` pixels. Of those `cut` are left
/// out at the beginning, or `added` come before them, and what is too much or missing for the
/// result is at the end.
struct Side {
  int begin = 0;
  int length = 0;
  int scaled = 0;
  int cut = 0;
  int added = 0;
};

Side stretched(int from, int to) { return {.begin = 0, .length = from, .scaled = to}; }

/// scale: at least to / from. Only what is needed is scaled, or a thin picture would become huge.
Side cropped(int from, int to, double scale) {
  constexpr int kReach = 4;  // source pixels that the widest filter sees on each side
  const double needed = to / scale;
  const double first = (from - needed) / 2.0;
  const int begin = std::max(0, static_cast<int>(std::floor(first)) - kReach);
  const int end = std::min(from, static_cast<int>(std::ceil(first + needed)) + kReach);
  const int scaled = std::max(to, static_cast<int>(std::lround((end - begin) * scale)));
  const int cut = static_cast<int>(std::lround((first - begin) * scale));
  return {.begin = begin,
          .length = end - begin,
          .scaled = scaled,
          .cut = std::clamp(cut, 0, scaled - to)};
}

/// scale: at most to / from.
Side filled(int from, int to, double scale) {
  const int scaled = std::clamp(static_cast<int>(std::lround(from * scale)), 1, to);
  return {.begin = 0, .length = from, .scaled = scaled, .added = (to - scaled) / 2};
}

cv::Mat scaled_to(const cv::Mat& picture, cv::Size size, int interpolation) {
  // OpenCV's averages are right only where neither side grows, and its other filters skip pixels
  // where one shrinks.
  const cv::Size smaller(std::min(picture.cols, size.width), std::min(picture.rows, size.height));
  cv::Mat shrunk = picture;
  if (smaller != picture.size()) cv::resize(picture, shrunk, smaller, 0, 0, cv::INTER_AREA);
  if (smaller == size) return shrunk;
  cv::Mat grown;
  cv::resize(shrunk, grown, size, 0, 0, interpolation);
  return grown;
}

}  // namespace

Image resize_image(const Image& image, int width, int height, ResizeMode mode,
                   ResizeFilter filter) {
  check_image(image, "picture");
  if (width < 1 || height < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} x {} pixels to resize to, expected at least 1 x 1", width, height));
  }
  check_image_size(width, height, "size to resize to");
  if (image.width == width && image.height == height) return image;

  Side x = stretched(image.width, width);
  Side y = stretched(image.height, height);
  const double scale_x = static_cast<double>(width) / image.width;
  const double scale_y = static_cast<double>(height) / image.height;
  if (mode == ResizeMode::kCrop) {
    x = cropped(image.width, width, std::max(scale_x, scale_y));
    y = cropped(image.height, height, std::max(scale_x, scale_y));
  } else if (mode == ResizeMode::kFill) {
    x = filled(image.width, width, std::min(scale_x, scale_y));
    y = filled(image.height, height, std::min(scale_x, scale_y));
  }
  const int interpolation =
      filter == ResizeFilter::kLanczos ? cv::INTER_LANCZOS4 : cv::INTER_LINEAR;
  try {
    const cv::Mat part = mat_over(image)(cv::Rect(x.begin, y.begin, x.length, y.length));
    const cv::Mat scaled = scaled_to(part, {x.scaled, y.scaled}, interpolation);
    const cv::Mat cut = scaled(cv::Rect(x.cut, y.cut, std::min(width, x.scaled - x.cut),
                                        std::min(height, y.scaled - y.cut)));
    cv::Mat whole;
    cv::copyMakeBorder(cut, whole, y.added, height - cut.rows - y.added, x.added,
                       width - cut.cols - x.added, cv::BORDER_REPLICATE | cv::BORDER_ISOLATED);
    return image_from(whole);
  } catch (const cv::Exception& error) {
    throw_opencv_error(error, "resizing a picture");
  }
}

}  // namespace kandinsky::io
