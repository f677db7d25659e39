#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/marked.h"
#include "cli/option_groups.h"
#include "jobs/job.h"
#include "jobs/limits.h"
#include "jobs/settings.h"

namespace kandinsky::cli {
namespace {

/// Repeatable options whose relative order matters.
struct MixOptions {
  CLI::Option* text;
  CLI::Option* image;
  CLI::Option* embeds;
  CLI::Option* weight;
};

MixOptions add_mix_options(CLI::App& command, GenerateJob& job) {
  const auto repeated = [&](const char* name, const char* type, const char* help) {
    // CLI11 keeps the values and the order in which they came.
    const CLI::callback_t keep = [](const CLI::results_t&) { return true; };
    return command.add_option(name, keep, help)
        ->type_name(type)
        ->group("Mix")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  const MixOptions options{
      repeated("--text", "TEXT", "A text to mix in"),
      repeated("--image", "FILE",
               "An image to mix in: a PNG, JPEG or WebP file, a pipe, or - for standard input"),
      repeated("--embeds", "FILE", "Embeds to mix in, as --save-embeds wrote them"),
      repeated("--weight", "X",
               "Weight of the preceding item, default 1. Weights need not sum to 1 (-1e6 to 1e6)")};
  OptionGroup(command, "Mix")
      .flag(
          "--slerp", job.slerp, true,
          "Spherical interpolation instead of a weighted sum; weights are normalised and must not "
          "be negative");
  return options;
}

/// The items in the given order, each with the weight that follows it.
std::vector<jobs::MixItem> read_items(const CLI::App& command, const MixOptions& options) {
  const std::array kinds = {std::pair(options.text, jobs::MixItem::Kind::kText),
                            std::pair(options.image, jobs::MixItem::Kind::kImage),
                            std::pair(options.embeds, jobs::MixItem::Kind::kEmbeds)};
  std::vector<jobs::MixItem> items;
  std::map<const CLI::Option*, std::size_t> used;
  bool takes_weight = false;
  for (const CLI::Option* option : command.parse_order()) {
    if (option == options.weight) {
      const std::string given = unmarked(option->results().at(used[option]++));
      if (!takes_weight) {
        throw StatusError(
            KANDINSKY_INVALID_ARGUMENT,
            "--weight must follow the --text, --image or --embeds that it applies to");
      }
      items.back().weight = parse_number("--weight", given, -jobs::kMaxWeight, jobs::kMaxWeight);
      takes_weight = false;
    }
    for (const auto& [kind_option, kind] : kinds) {
      if (option != kind_option) continue;
      const bool is_text = kind == jobs::MixItem::Kind::kText;
      const std::string given = unmarked(option->results().at(used[option]++));
      items.push_back({kind, is_text ? parse_text("--text", given) : given, 1});
      takes_weight = true;
    }
  }
  if (items.empty()) {
    throw StatusError(KANDINSKY_INVALID_ARGUMENT,
                      "nothing to mix: give --text, --image or --embeds, each any number of times");
  }
  const double most = jobs::option_info("images").maximum;
  if (static_cast<double>(items.size()) > most) {
    throw StatusError(
        KANDINSKY_INVALID_ARGUMENT,
        fmt::format("there are {} items to mix, expected up to {}", items.size(), most));
  }
  return items;
}

}  // namespace

void add_mix(CLI::App& app) {
  auto job = std::make_shared<GenerateJob>();
  CLI::App* command =
      app.add_subcommand("mix", "Generate from a mix of texts and images, or vary one image");
  const MixOptions options = add_mix_options(*command, *job);
  require(add_model_options(*command, *job));
  add_prompt_options(*command, *job)
      ->description(
          "Text for the decoder, in addition to the mixed image embedding. Default: the first "
          "--text, or the first item's text, which is empty for an image. Unused by Kandinsky 2.2");
  add_image_options(*command, *job, "--init-image");
  add_mask_options(*command, *job)->needs("--init-image");
  add_hint_options(*command, *job);
  add_sampling_options(*command, *job);
  add_noise_options(*command, *job);
  add_output_options(*command, *job);
  command->footer(generation_footer(
      "  kandinsky mix --model models/Kandinsky/kandinsky-2-1 --text \"a cat\" --weight 0.3 \\\n"
      "      --image night.jpg --weight 0.7 --output cat-at-night.png"));
  command->callback([job, command, options] {
    job->mix = read_items(*command, options);
    generate(*job);
  });
}

}  // namespace kandinsky::cli
