#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/job.h"

namespace kandinsky::cli {

/// What a generating command was asked for: checked, but for what needs the files and the model.
struct GenerateJob : jobs::Job {
  std::optional<std::int32_t> threads;  ///< nothing: LibTorch's own choice

  std::string seed = "-1";  ///< of the first image
  std::string variation_seed = "-1";
  std::int32_t batch_size = 1;

  std::string image;  ///< path of the image to start from; empty: none
  std::string mask;   ///< path; empty: none

  std::string output;       ///< empty: no images are generated
  std::string save_embeds;  ///< path; empty: they are not kept
  bool quiet = false;
};

/// Does it: generates, saves, and prints the paths. Throws StatusError.
void generate(GenerateJob job);

}  // namespace kandinsky::cli
