#include "io/fill.h"

#include <opencv2/imgproc.hpp>
#include <vector>

#include "io/mat.h"

namespace kandinsky::io {
namespace {

/// Each pixel as colour times share and share: what is kept, with nothing of the masked part.
cv::Mat kept_part(const Image& picture, const Image& soft_mask) {
  constexpr float kWhite = 255.0F;
  cv::Mat kept(picture.height, picture.width, CV_32FC4);
  const cv::Mat colours = mat_over(picture);
  const cv::Mat mask = mat_over(soft_mask);
  for (int y = 0; y < kept.rows; ++y) {
    for (int x = 0; x < kept.cols; ++x) {
      const float share = 1.0F - static_cast<float>(mask.at<std::uint8_t>(y, x)) / kWhite;
      const auto& colour = colours.at<cv::Vec3b>(y, x);
      kept.at<cv::Vec4f>(y, x) = {share * static_cast<float>(colour[0]),
                                  share * static_cast<float>(colour[1]),
                                  share * static_cast<float>(colour[2]), share};
    }
  }
  return kept;
}

/// What is kept, on the colours behind it.
cv::Mat over(const cv::Mat& kept, const cv::Mat& behind) {
  cv::Mat result(kept.rows, kept.cols, CV_32FC3);
  for (int y = 0; y < kept.rows; ++y) {
    for (int x = 0; x < kept.cols; ++x) {
      const auto& front = kept.at<cv::Vec4f>(y, x);
      result.at<cv::Vec3f>(y, x) =
          cv::Vec3f(front[0], front[1], front[2]) + (1.0F - front[3]) * behind.at<cv::Vec3f>(y, x);
    }
  }
  return result;
}

/// The colour of the one pixel that all others went into.
cv::Mat mean_colour(const cv::Mat& kept) {
  const auto& pixel = kept.at<cv::Vec4f>(0, 0);
  const cv::Vec3f sum(pixel[0], pixel[1], pixel[2]);
  const cv::Vec3f mean = pixel[3] > 0.0F ? sum / pixel[3] : cv::Vec3f(127.5F, 127.5F, 127.5F);
  return cv::Mat(1, 1, CV_32FC3, cv::Scalar(mean[0], mean[1], mean[2]));
}

}  // namespace

Image fill_masked(const Image& picture, const Image& soft_mask) {
  try {
    std::vector<cv::Mat> kept = {kept_part(picture, soft_mask)};
    while (kept.back().total() > 1) {
      cv::Mat half;
      cv::pyrDown(kept.back(), half);
      kept.push_back(half);
    }
    cv::Mat colours = mean_colour(kept.back());
    while (!kept.empty()) {
      const cv::Mat& finer = kept.back();
      cv::Mat behind = colours;
      if (finer.size() != colours.size()) cv::pyrUp(colours, behind, finer.size());
      colours = over(finer, behind);
      kept.pop_back();
    }
    cv::Mat rounded;
    colours.convertTo(rounded, CV_8U);
    return image_from(rounded);
  } catch (const cv::Exception& error) {
    throw_opencv_error(error, "filling a mask");
  }
}

}  // namespace kandinsky::io
