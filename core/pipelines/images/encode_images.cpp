#include "pipelines/images/encode_images.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "images/filters.h"
#include "io/images/image.h"
#include "io/json_config.h"
#include "nn/encoders/clip_vision.h"

namespace kandinsky::pipelines {
namespace {

constexpr int64_t kPilBicubic = 3;
/// CLIP's values, the default of transformers.
constexpr std::array<double, 3> kMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kStd{0.26862954, 0.26130258, 0.27577711};

std::array<float, 3> get_channels(const io::JsonConfig& json, const char* key,
                                  const std::array<double, 3>& fallback) {
  const std::vector<double> values = json.get_doubles(key, fallback);
  if (values.size() != 3) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: \"{}\" has {} numbers, expected one for each of 3 colours",
                            json.source(), key, values.size()));
  }
  std::array<float, 3> result{};
  std::transform(values.begin(), values.end(), result.begin(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

bool is_finite(float value) { return std::isfinite(value); }

/// A size that is a number, or an object with that number under `key`.
int64_t get_side(const io::JsonConfig& json, const char* name, const char* key, int64_t fallback) {
  return json.is_object(name) ? json.get_object(name).get_int(key) : json.get_int(name, fallback);
}

}  // namespace

ImageProcessor::ImageProcessor(const io::JsonConfig& json, int64_t image_size)
    : image_size_(image_size),
      rescale_factor_(json.get_double("rescale_factor", 1.0 / 255.0)),
      mean_(get_channels(json, "image_mean", kMean)),
      std_(get_channels(json, "image_std", kStd)) {
  for (const char* step : {"do_resize", "do_center_crop", "do_rescale", "do_normalize"}) {
    if (json.get_bool(step, true)) continue;
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: \"{}\" is false, expected true", json.source(), step));
  }
  const auto is_no_divisor = [](float value) { return !(std::abs(value) >= FLT_MIN); };
  if (std::ranges::any_of(std_, is_no_divisor) || !std::ranges::all_of(mean_, is_finite) ||
      !std::ranges::all_of(std_, is_finite)) {
    throw Error(ErrorCode::kCorruptFile,
                fmt::format("{}: \"image_mean\" [{}] and \"image_std\" [{}] are invalid",
                            json.source(), fmt::join(mean_, ", "), fmt::join(std_, ", ")));
  }
  if (json.get_int("resample", kPilBicubic) != kPilBicubic) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: \"resample\" is {}, expected {}, bicubic", json.source(),
                            json.get_int("resample"), kPilBicubic));
  }
  const int64_t size = get_side(json, "size", "shortest_edge", image_size);
  const int64_t crop_size = get_side(json, "crop_size", "height", image_size);
  if (size != image_size || crop_size != image_size) {
    throw Error(ErrorCode::kIncompatible,
                fmt::format("{}: images of side {} cut to {}, but the image_encoder beside it "
                            "takes {}",
                            json.source(), size, crop_size, image_size));
  }
}

at::Tensor ImageProcessor::operator()(const io::Image& image) const {
  io::check_image(image, "image");
  const int64_t short_side = std::min(image.width, image.height);
  const auto scaled = [&](int side) {
    return static_cast<int64_t>(static_cast<double>(image_size_ * side) /
                                static_cast<double>(short_side));
  };
  const int64_t width = scaled(image.width);
  const int64_t height = scaled(image.height);
  const auto side = static_cast<int>(image_size_);
  io::Image converted;
  if (image.channels != 3) converted = io::to_rgb(image);
  const io::Image& rgb = image.channels == 3 ? image : converted;
  const io::Image part = images::resize(rgb, width, height,
                                        {.left = static_cast<int>((width - image_size_) / 2),
                                         .top = static_cast<int>((height - image_size_) / 2),
                                         .width = side,
                                         .height = side},
                                        images::ResizeFilter::kBicubic);
  at::Tensor pixels = at::empty({1, 3, image_size_, image_size_}, at::kFloat);
  auto* to = pixels.mutable_data_ptr<float>();
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = c; i < part.pixels.size(); i += 3) {
      const auto rescaled = static_cast<float>(part.pixels[i] * rescale_factor_);
      *to++ = (rescaled - mean_[c]) / std_[c];
    }
  }
  return pixels;
}

at::Tensor encode_image(const nn::ClipVisionEncoder& encoder, const ImageProcessor& processor,
                        const io::Image& image) {
  return encoder(processor(image)).to(at::kCPU, at::kFloat);
}

}  // namespace kandinsky::pipelines
