#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/canvas.h"
#include "cli/settings.h"
#include "kandinsky.hpp"

namespace kandinsky::cli {

/// What a mix is made of.
struct MixItem {
  enum class Kind : int { kText, kImage, kEmbeds };
  Kind kind = Kind::kText;
  std::string value;  ///< the text, or a file's path
  double weight = 1;
};

/// What a generating command was asked for: checked, but for what needs the files and the model.
struct GenerateJob {
  Settings settings;                    ///< of the library's options, those of the engine included
  std::optional<std::int32_t> threads;  ///< nothing: LibTorch's own choice

  // Each for all images; the lists among the settings are made from them.
  std::optional<std::string> prompt;
  std::optional<std::string> negative_prompt;
  std::optional<std::string> negative_prior_prompt;
  std::string seed = "-1";
  std::string variation_seed = "-1";
  std::int32_t batch_size = 1;
  std::vector<std::uint64_t> seeds;            ///< made from `seed`
  std::vector<std::uint64_t> variation_seeds;  ///< likewise; empty: no variation

  std::optional<std::int32_t> width;  ///< nothing: see canvas.h
  std::optional<std::int32_t> height;
  Size size;  ///< made from them

  std::string image;  ///< path of the image to start from; empty: none
  std::string mask;   ///< path; empty: none
  std::vector<Image> images;
  std::vector<Image> masks;

  std::vector<MixItem> mix;  ///< empty: the prompt alone
  bool slerp = false;

  std::string output;       ///< empty: no images are generated
  std::string save_embeds;  ///< path; empty: they are not kept
  bool quiet = false;
};

/// Does it: generates, saves, and prints the paths. Throws StatusError.
void generate(GenerateJob job);

}  // namespace kandinsky::cli
