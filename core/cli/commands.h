#pragma once

#include <CLI/CLI.hpp>

/// The subcommands. Each adds its options to `app` and sets a callback that does the work; the work
/// may throw StatusError.
namespace kandinsky::cli {

/// "txt2img": paints pictures.
void add_txt2img(CLI::App& app);

/// "info": tells what a model folder holds.
void add_info(CLI::App& app);

/// "samplers": lists the samplers.
void add_samplers(CLI::App& app);

}  // namespace kandinsky::cli
