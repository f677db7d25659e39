#include "io/mask.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "io/mat.h"

namespace kandinsky::io {
namespace {

constexpr int kWhite = 255;
constexpr int kHalf = 128;  // the first value that counts as white

cv::Mat luma_on_black(const Image& picture) {
  const cv::Mat pixels = mat_over(picture);
  if (picture.channels == 1) return pixels;
  cv::Mat luma;
  cv::cvtColor(pixels, luma, picture.channels == 3 ? cv::COLOR_RGB2GRAY : cv::COLOR_RGBA2GRAY);
  if (picture.channels == 4) {
    cv::Mat alpha;
    cv::extractChannel(pixels, alpha, 3);
    cv::multiply(luma, alpha, luma, 1.0 / kWhite);
  }
  return luma;
}

}  // namespace

Image make_mask(const Image& picture, int width, int height, ResizeMode mode, bool invert) {
  check_image(picture, "mask");
  try {
    const Image luma = picture.channels == 1 ? Image{} : image_from(luma_on_black(picture));
    const Image grey = resize_image(picture.channels == 1 ? picture : luma, width, height, mode,
                                    ResizeFilter::kLinear);
    cv::Mat mask;
    cv::threshold(mat_over(grey), mask, kHalf - 1, kWhite,
                  invert ? cv::THRESH_BINARY_INV : cv::THRESH_BINARY);
    return image_from(mask);
  } catch (const cv::Exception& error) {
    throw_opencv_error(error, "preparing a mask");
  }
}

Image soften_mask(const Image& mask, int sigma) {
  if (sigma == 0) return mask;
  const int kernel = 2 * static_cast<int>(2.5 * sigma + 0.5) + 1;
  try {
    cv::Mat across;
    cv::Mat soft;
    cv::GaussianBlur(mat_over(mask), across, {kernel, 1}, sigma);
    cv::GaussianBlur(across, soft, {1, kernel}, sigma);
    // Saturates: half and more, which is what a straight border has inside, become white.
    return image_from(cv::max(mat_over(mask), 2 * soft));
  } catch (const cv::Exception& error) {
    throw_opencv_error(error, "blurring a mask");
  }
}

bool is_black(const Image& mask) {
  return std::ranges::all_of(mask.pixels, [](std::uint8_t value) { return value == 0; });
}

Image latent_mask(const Image& soft_mask, int latent_width, int latent_height, int factor,
                  bool widen) {
  cv::Mat nearest(latent_height, latent_width, CV_8UC1);
  cv::Mat seen(latent_height, latent_width, CV_8UC1);
  try {
    const cv::Mat soft = mat_over(soft_mask);
    for (int i = 0; i < latent_height; ++i) {
      const int top = std::min(i * factor, soft.rows - 1);
      const int bottom = std::min(top + factor, soft.rows);
      for (int j = 0; j < latent_width; ++j) {
        const int left = std::min(j * factor, soft.cols - 1);
        const int right = std::min(left + factor, soft.cols);
        const cv::Mat cell = soft(cv::Range(top, bottom), cv::Range(left, right));
        nearest.at<std::uint8_t>(i, j) = cell.at<std::uint8_t>(0, 0) >= kHalf ? kWhite : 0;
        seen.at<std::uint8_t>(i, j) = cv::countNonZero(cell) > 0 ? kWhite : 0;
      }
    }
    if (widen) {
      const cv::Mat neighbours = (cv::Mat_<std::uint8_t>(3, 3) << 1, 1, 0, 1, 1, 1, 0, 1, 1);
      cv::dilate(nearest, nearest, neighbours);
    }
    return image_from(nearest | seen);
  } catch (const cv::Exception& error) {
    throw_opencv_error(error, "preparing a mask");
  }
}

void restore_unmasked(const Image& picture, const Image& soft_mask, Span<std::uint8_t> painted) {
  std::size_t at = 0;
  for (const unsigned share : soft_mask.pixels) {
    for (int c = 0; c < 3; ++c, ++at) {
      const unsigned mixed = painted[at] * share + picture.pixels[at] * (kWhite - share);
      painted[at] = static_cast<std::uint8_t>((mixed + kWhite / 2) / kWhite);
    }
  }
}

}  // namespace kandinsky::io
