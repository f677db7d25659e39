#include "serve/preview.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace kandinsky::serve {
namespace {

constexpr int kCells = 8;
constexpr int kLargestSide = 256;
constexpr double kWhite = 255;

/// Smoothly changing colours [side, side, 3], the same at every call.
std::vector<std::uint8_t> chart(int side) {
  // Corners of the colour cube: all other colours are interpolated, none extrapolated.
  std::array<std::array<std::array<double, 3>, kCells>, kCells> cells{};
  std::mt19937 random(7);
  for (auto& row : cells) {
    for (auto& cell : row) {
      for (double& value : cell) value = random() % 2 == 0 ? 0 : kWhite;
    }
  }
  const auto place = [&](int at) {
    const double exact = static_cast<double>(at) * (kCells - 1) / (side - 1);
    const int low = std::min(static_cast<int>(exact), kCells - 2);
    return std::pair(static_cast<std::size_t>(low), exact - low);
  };
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < side; ++y) {
    const auto [row, down] = place(y);
    for (int x = 0; x < side; ++x) {
      const auto [column, right] = place(x);
      for (std::size_t k = 0; k < 3; ++k) {
        const double above = std::lerp(cells[row][column][k], cells[row][column + 1][k], right);
        const double below =
            std::lerp(cells[row + 1][column][k], cells[row + 1][column + 1][k], right);
        pixels.push_back(static_cast<std::uint8_t>(std::lerp(above, below, down) + 0.5));
      }
    }
  }
  return pixels;
}

/// Solves a symmetric system by elimination; directions that the data lacks get 0.
template <std::size_t kSize>
std::array<double, kSize> solve(std::array<std::array<double, kSize>, kSize> matrix,
                                std::array<double, kSize> right) {
  constexpr double kNothing = 1e-9;
  for (std::size_t i = 0; i < kSize; ++i) {
    std::size_t best = i;
    for (std::size_t row = i + 1; row < kSize; ++row) {
      if (std::abs(matrix[row][i]) > std::abs(matrix[best][i])) best = row;
    }
    std::swap(matrix[i], matrix[best]);
    std::swap(right[i], right[best]);
    if (std::abs(matrix[i][i]) < kNothing) continue;
    for (std::size_t row = 0; row < kSize; ++row) {
      if (row == i) continue;
      const double factor = matrix[row][i] / matrix[i][i];
      for (std::size_t k = i; k < kSize; ++k) matrix[row][k] -= factor * matrix[i][k];
      right[row] -= factor * right[i];
    }
  }
  std::array<double, kSize> result{};
  for (std::size_t i = 0; i < kSize; ++i)
    result[i] = std::abs(matrix[i][i]) < kNothing ? 0 : right[i] / matrix[i][i];
  return result;
}

}  // namespace

Projection::Projection(Engine& engine) {
  const kandinsky_engine_info info = engine.info();
  if (info.latent_channels + 1 != static_cast<std::int32_t>(kUnknowns))
    throw StatusError(KANDINSKY_UNSUPPORTED, "previews are for latents of four channels");
  const int wanted = std::min(kLargestSide, std::max(info.native_size, info.size_multiple));
  const int side = (wanted + info.size_multiple - 1) / info.size_multiple * info.size_multiple;
  const int latent_side = engine.latent_size(side, side).first;
  const int factor = side / latent_side;
  const std::vector<std::uint8_t> pixels = chart(side);
  const auto plane = static_cast<std::size_t>(latent_side) * static_cast<std::size_t>(latent_side);
  std::vector<float> latents(plane * (kUnknowns - 1));
  Options options("encode");
  options.set("width", side).set("height", side);
  engine.encode(options, pixels.data(), pixels.size(), latents.data(), latents.size());

  std::array<std::array<double, kUnknowns>, kUnknowns> matrix{};
  std::array<std::array<double, kUnknowns>, 3> right{};
  for (std::size_t at = 0; at < plane; ++at) {
    std::array<double, kUnknowns> known{};
    for (std::size_t k = 0; k + 1 < kUnknowns; ++k) known[k] = latents[k * plane + at];
    known.back() = 1;
    std::array<double, 3> mean{};
    const int top = static_cast<int>(at) / latent_side * factor;
    const int left = static_cast<int>(at) % latent_side * factor;
    for (int y = top; y < top + factor; ++y) {
      for (int x = left; x < left + factor; ++x) {
        for (std::size_t k = 0; k < 3; ++k)
          mean[k] += pixels[static_cast<std::size_t>(y * side + x) * 3 + k];
      }
    }
    for (std::size_t i = 0; i < kUnknowns; ++i) {
      for (std::size_t k = 0; k < kUnknowns; ++k) matrix[i][k] += known[i] * known[k];
      for (std::size_t k = 0; k < 3; ++k) right[k][i] += known[i] * mean[k] / (factor * factor);
    }
  }
  for (std::size_t k = 0; k < 3; ++k) weights_[k] = solve(matrix, right[k]);
}

Image Projection::image(const Latents& latents, std::int32_t factor) const {
  const std::int32_t height = latents.shape[2];
  const std::int32_t width = latents.shape[3];
  const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  std::vector<std::array<std::uint8_t, 3>> colours(plane);
  for (std::size_t at = 0; at < plane; ++at) {
    for (std::size_t colour = 0; colour < weights_.size(); ++colour) {
      const auto& weights = weights_[colour];
      double value = weights.back();
      for (std::size_t k = 0; k + 1 < kUnknowns; ++k)
        value += weights[k] * latents.values[k * plane + at];
      const double rounded = std::isfinite(value) ? std::clamp(value + 0.5, 0.0, kWhite) : 0;
      colours[at][colour] = static_cast<std::uint8_t>(rounded);
    }
  }
  Image image{.pixels = {}, .width = width * factor, .height = height * factor, .channels = 3};
  for (std::int32_t y = 0; y < image.height; ++y) {
    for (std::int32_t x = 0; x < image.width; ++x) {
      const auto& colour = colours[static_cast<std::size_t>(y / factor * width + x / factor)];
      image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
    }
  }
  return image;
}

}  // namespace kandinsky::serve
