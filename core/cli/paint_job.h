#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kandinsky.hpp"

namespace kandinsky::cli {

/// Which models, and on what.
struct ModelChoice {
  EngineOptions engine;
  std::optional<std::int32_t> threads;  ///< nothing: LibTorch's own choice
};

/// What a mix is made of.
struct MixItem {
  enum class Kind : int { kText, kImage, kEmbeds };
  Kind kind = Kind::kText;
  std::string value;  ///< the text, or a file's path
  double weight = 1;
};

/// What a painting command was asked for: checked, but for what needs the files and the model.
struct PaintJob {
  ModelChoice model;

  // Each for all pictures; the lists in `prompts` and `denoise` are made from them.
  std::optional<std::string> prompt;
  std::optional<std::string> negative_prompt;
  std::optional<std::string> negative_prior_prompt;
  std::string seed = "-1";
  std::string variation_seed = "-1";
  std::int32_t batch_size = 1;
  PromptOptions prompts;
  DenoiseOptions denoise;

  std::optional<std::int32_t> width;  ///< nothing: see canvas.h
  std::optional<std::int32_t> height;

  std::string image;  ///< path of the picture to start from; empty: none
  std::string mask;   ///< path; empty: none
  SourceOptions source;
  bool reference_noise = false;

  std::vector<MixItem> mix;  ///< empty: the prompt alone
  bool slerp = false;

  std::string output;       ///< empty: no pictures are painted
  std::string save_embeds;  ///< path; empty: they are not kept
  bool quiet = false;
};

/// Does it: paints, saves, and prints the paths. Throws StatusError.
void paint(PaintJob job);

}  // namespace kandinsky::cli
