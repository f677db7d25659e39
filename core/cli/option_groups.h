#pragma once

#include <string>

#include "cli/generate_job.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// Options shared by the generating commands. Each function declares one group on a command;
/// the job must outlive the parsing.
namespace kandinsky::cli {

/// --model, which is returned, --prior, --precision, --device, --max-memory, --threads and other
/// model options
CLI::Option* add_model_options(CLI::App& command, GenerateJob& job);

/// --prompt, which is returned, and other text options
CLI::Option* add_prompt_options(CLI::App& command, GenerateJob& job);

/// --width, --height, --sampler, --scheduler, --steps, --cfg-scale and other sampling options
void add_sampling_options(CLI::App& command, GenerateJob& job);

/// --seed, --batch-size and variations of the noise
void add_noise_options(CLI::App& command, GenerateJob& job);

/// The image to start from, as option `name`, which is returned.
CLI::Option* add_image_options(CLI::App& command, GenerateJob& job, const char* name);

/// --mask, which is returned, and mask options
CLI::Option* add_mask_options(CLI::App& command, GenerateJob& job);

/// --hint and the steps that use it
void add_hint_options(CLI::App& command, GenerateJob& job);

/// --output, --save-embeds, --quiet
void add_output_options(CLI::App& command, GenerateJob& job);

/// The end of each command's help, followed by its `example`.
std::string generation_footer(const std::string& example);

}  // namespace kandinsky::cli
