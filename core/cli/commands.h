#pragma once

namespace CLI {
class App;
}

/// The subcommands. Each adds its options to `app` and sets a callback that does the work; the work
/// may throw StatusError.
namespace kandinsky::cli {

/// "txt2img": generates from a text.
void add_txt2img(CLI::App& app);

/// "img2img": generates from an image and a text.
void add_img2img(CLI::App& app);

/// "inpaint": inpaints the masked part of an image.
void add_inpaint(CLI::App& app);

/// "mix": generates from texts and images with weights.
void add_mix(CLI::App& app);

/// "batch": generates what the lines of a file ask for.
void add_batch(CLI::App& app);

/// "serve": answers requests over HTTP.
void add_serve(CLI::App& app);

/// "convert": writes weights in other forms as folders in diffusers' layout.
void add_convert(CLI::App& app);

/// "info": tells what a model folder holds.
void add_info(CLI::App& app);

/// "samplers": lists the samplers.
void add_samplers(CLI::App& app);

/// "schedulers": lists the schedulers.
void add_schedulers(CLI::App& app);

/// "speedups": lists the speed-ups.
void add_speedups(CLI::App& app);

}  // namespace kandinsky::cli
