/// Masks, fills and sizes of small images, by their rules.
#include <algorithm>

#include "fuzz/fuzz.h"
#include "images/fill.h"
#include "images/filters.h"
#include "images/mask.h"
#include "images/resize.h"

namespace fuzz = kandinsky::fuzz;
namespace images = kandinsky::images;
namespace io = kandinsky::io;

namespace {

io::Image make_image(fuzz::Input* input, int width, int height, int channels) {
  io::Image image{.width = width, .height = height, .channels = channels, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                      static_cast<std::size_t>(channels));
  const std::uint8_t repeat =
      input->byte();  // large areas of one colour are what masks are made of
  std::uint8_t value = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    if (i % (1U + repeat % 8U) == 0) value = input->byte();
    image.pixels[i] = value;
  }
  return image;
}

bool is_shaped(const io::Image& image, int width, int height, int channels) {
  return image.width == width && image.height == height && image.channels == channels &&
         image.pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(channels);
}

bool all_are(const io::Image& image, std::uint8_t value) {
  return std::all_of(image.pixels.begin(), image.pixels.end(),
                     [value](std::uint8_t pixel) { return pixel == value; });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kChannels[] = {1, 3, 4};
  fuzz::Input input(data, size);
  const int channels = kChannels[input.byte() % 3];
  const int width = input.number(1, 20);
  const int height = input.number(1, 20);
  const int to_width = input.number(1, 40);
  const int to_height = input.number(1, 40);
  const auto mode = static_cast<images::ResizeMode>(input.byte() % 3);
  const auto filter = static_cast<images::ResizeFilter>(input.byte() % 2);
  const bool invert = input.flag();
  const int sigma = input.number(0, 64);
  const int factor = input.number(1, 9);
  const bool widen = input.flag();
  const io::Image image = make_image(&input, width, height, channels);

  const io::Image resized = images::resize_image(image, to_width, to_height, mode);
  fuzz::require(is_shaped(resized, to_width, to_height, channels),
                "a resized image has the size asked for");
  if (to_width == width && to_height == height)
    fuzz::require(resized == image, "the same size is the same image");
  if (all_are(image, image.pixels[0]))
    fuzz::require(all_are(resized, image.pixels[0]), "one colour stays one colour");

  const images::Window window{.left = to_width / 3,
                              .top = to_height / 2,
                              .width = to_width - to_width / 3,
                              .height = to_height - to_height / 2};
  const io::Image part = images::resize(image, to_width, to_height, window, filter);
  fuzz::require(is_shaped(part, window.width, window.height, channels), "a window has its size");

  const io::Image mask = images::make_mask(image, to_width, to_height, mode, invert);
  const io::Image other = images::make_mask(image, to_width, to_height, mode, !invert);
  fuzz::require(is_shaped(mask, to_width, to_height, 1), "a mask has the size asked for");
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    fuzz::require(
        (mask.pixels[i] == 0 || mask.pixels[i] == 255) && mask.pixels[i] + other.pixels[i] == 255,
        "a mask is black and white, and its inverse the other way");
  fuzz::require(images::is_black(mask) == all_are(mask, 0), "a black mask is known");

  const io::Image soft = images::soften_mask(mask, sigma);
  fuzz::require(is_shaped(soft, to_width, to_height, 1), "a soft mask is as large");
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    fuzz::require(soft.pixels[i] >= mask.pixels[i],
                  "what is inpainted stays so under a soft border");
  if (images::is_black(mask))
    fuzz::require(images::is_black(soft), "a soft border of nothing is nothing");

  const int latent_width = (to_width + factor - 1) / factor;
  const int latent_height = (to_height + factor - 1) / factor;
  const at::Tensor latents =
      images::latent_mask(soft, latent_width, latent_height, factor, widen).contiguous();
  fuzz::require(latents.sizes() == at::IntArrayRef({1, 1, latent_height, latent_width}),
                "a latent mask has a value for each latent");
  for (int y = 0; y < to_height; ++y) {
    for (int x = 0; x < to_width; ++x) {
      const auto at = [](const io::Image& from, int column, int row) {
        return from.pixels[static_cast<std::size_t>(row * from.width + column)];
      };
      fuzz::require(
          at(soft, x, y) == 0 ||
              latents.const_data_ptr<float>()[y / factor * latent_width + x / factor] == 1.0F,
          "nothing that is seen stays as it was");
    }
  }

  const io::Image rgb = io::to_rgb(resized);
  fuzz::require(is_shaped(rgb, to_width, to_height, 3), "RGB has three channels");
  const io::Image filled = images::fill_masked(rgb, soft);
  fuzz::require(is_shaped(filled, to_width, to_height, 3), "a filled image is as large");
  io::Image generated = rgb;
  for (std::uint8_t& value : generated.pixels) value = static_cast<std::uint8_t>(~value);
  const io::Image before = generated;
  images::restore_unmasked(rgb, soft, generated.pixels);
  for (std::size_t i = 0; i < soft.pixels.size(); ++i) {
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c) {
      if (soft.pixels[i] == 0)
        fuzz::require(generated.pixels[c] == rgb.pixels[c] && filled.pixels[c] == rgb.pixels[c],
                      "outside the mask nothing changes");
      if (soft.pixels[i] == 255)
        fuzz::require(generated.pixels[c] == before.pixels[c],
                      "inside the mask is what was generated");
    }
  }
  return 0;
}
