#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/canvas.h"
#include "jobs/settings.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {

/// An item of a mix.
struct MixItem {
  enum class Kind : int { kText, kImage, kEmbeds };
  Kind kind = Kind::kText;
  std::string value;  ///< the text, or a file's path
  double weight = 1;
};

/// Images that differ only in their seeds.
struct Job {
  Settings settings;  ///< of the library's options, including the engine's

  // Each for all images; the lists among the settings are made from them.
  std::optional<std::string> prompt;
  std::optional<std::string> negative_prompt;
  std::optional<std::string> negative_prior_prompt;
  std::vector<std::uint64_t> seeds;            ///< one for each image
  std::vector<std::uint64_t> variation_seeds;  ///< likewise; empty: no variation

  std::optional<std::int32_t> width;  ///< empty: see canvas.h
  std::optional<std::int32_t> height;
  Size size;  ///< from these, see canvas.h

  std::vector<Image> images;  ///< start images: none or one
  std::vector<Image> masks;   ///< likewise
  // Their images are among the settings.
  std::string hint;         ///< path; empty: none
  std::string prior_image;  ///< likewise

  std::vector<MixItem> mix;       ///< empty: only the prompt
  std::vector<Image> mix_images;  ///< of the mix's items of kind kImage, in order
  bool slerp = false;
};

}  // namespace kandinsky::jobs
