#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "jobs/job.h"

namespace kandinsky::cli {

/// The arguments of a generating command: checked, except for what needs the files and the model.
struct GenerateJob : jobs::Job {
  std::optional<std::int32_t> threads;  ///< empty: LibTorch's default

  std::string seed = "-1";  ///< of the first image
  std::string variation_seed = "-1";
  std::int32_t batch_size = 1;

  std::string image;  ///< path of the image to start from; empty: none
  std::string mask;   ///< path; empty: none

  std::string output;       ///< empty: generates no images
  std::string save_embeds;  ///< path; empty: not saved
  bool quiet = false;
};

/// Generates, saves, and prints the paths. Throws StatusError.
void generate(GenerateJob job);

}  // namespace kandinsky::cli
